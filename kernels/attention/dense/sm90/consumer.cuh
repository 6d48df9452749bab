// One computing warpgroup: 64 rows of a query tile against all its K/V tiles.
//
// Two overlaps keep the tensor cores busy. Within a warpgroup, the scores of tile i are issued
// before the values of tile i - 1, so softmax work of tile i runs while those values are
// multiplied. Between warpgroups, a turn is passed round: only its holder issues products, so the
// softmax of one falls together with the products of the others.
#pragma once

#include "attention/dense/sm90/config.h"
#include "attention/softmax.cuh"
#include "common/sm90/wgmma.cuh"

namespace longview::attention::sm90 {

using ::longview::sm90::advance_descriptor;
using ::longview::sm90::kWarpSize;
using ::longview::sm90::lane_index;
using ::longview::sm90::pin_registers;
using ::longview::sm90::RingPosition;
using ::longview::sm90::swizzled_descriptor;
using ::longview::sm90::Wgmma;
using ::longview::sm90::wgmma_commit;
using ::longview::sm90::wgmma_fence;
using ::longview::sm90::wgmma_wait;

/// `Work` is a query tile with its K/V tiles, see kv_tiles.cuh.
template <class Config, class Work>
class Consumer {
 public:
  using Params = typename Work::Params;
  using Ticket = typename Work::Ticket;
  using Shared = SharedStorage<Config, Ticket>;

  /// `warpgroup` counts the computing warpgroups from 0.
  __device__ __forceinline__ Consumer(const Params& params, Shared& shared, int warpgroup)
      : params_(params),
        shared_(shared),
        warpgroup_(warpgroup),
        query_(swizzled_descriptor(shared.query + warpgroup * kRows * Config::kRowBytes, 0)),
        key_(swizzled_descriptor(shared.key, 0)),
        value_(swizzled_descriptor(shared.value, Config::kKvColumnBlockBytes)) {}

  __device__ __forceinline__ void run() {
    if (warpgroup_ == Config::kConsumers - 1) pass_turn();  // the first warpgroup begins
    for (uint32_t query_parity = 0;; query_parity ^= 1) {
      shared_.query_full.wait(query_parity);
      const Ticket ticket = shared_.ticket;
      if (ticket.tile == kNoTile) return;
      run_tile(Work(params_, ticket));
    }
  }

 private:
  static constexpr int kRows = 64;
  static constexpr int kStepK = 16;  // depth of one wgmma
  using Ring = RingPosition<Config::kStages>;

  enum class Keys { kAll, kMasked, kAverages };  // which of a K/V tile's keys count, and how

  /// What a thread holds of one query tile, in accumulator layout.
  struct Accumulators {
    float scores[Config::kTileN / 2];            // of one K tile; probabilities after the softmax
    uint32_t probabilities[Config::kTileN / 4];  // the same as pairs of bf16
    float output[Config::kHeadDim / 2];
    RowSoftmax softmax;
  };

  __device__ __forceinline__ void run_tile(const Work& work) {
    const int first_row = warpgroup_ * kRows + row_in_warpgroup();
#pragma unroll
    for (int row = 0; row < 2; ++row) row_limit_[row] = work.last_visible(first_row + 8 * row);

    Accumulators acc;
#pragma unroll
    for (int i = 0; i < Config::kHeadDim / 2; ++i) acc.output[i] = 0.f;
    first_scores(acc, work);
    if (work.count > 1) wait_key();
    int i = 1;
    for (; i < work.masked; ++i) step<Keys::kMasked>(acc, work, i);
    for (; i < work.unmasked_end; ++i) step<Keys::kAll>(acc, work, i);
    if (i < work.masked_end) step<Keys::kMasked>(acc, work, i++);
    if constexpr (Work::kAverages) {
      for (; i < work.count; ++i) step<Keys::kAverages>(acc, work, i);
    }
    release_query();
    last_values(acc);

#pragma unroll
    for (int row = 0; row < 2; ++row) scale_row(acc, row, 1.f / acc.softmax.sum(row));
    work.store(first_row, acc.output);
  }

  /// Scores and probabilities of the first tile; there are no earlier values to overlap with.
  __device__ __forceinline__ void first_scores(Accumulators& acc, const Work& work) {
    wait_key();
    issue_scores(acc);
    wgmma_wait<0>();
    pin_registers(acc.scores);
    release(shared_.key_empty, key_ring_);
    apply_mask(acc, work, 0);
#pragma unroll
    for (int row = 0; row < 2; ++row) {
      acc.softmax.template find_maximum<true>(row, acc.scores, params_.scale_log2);
      acc.softmax.exponentiate(row, acc.scores, params_.scale_log2);
    }
    pack(acc);
  }

  /// Scores and probabilities of one tile, while the values of the tile before are added up. The
  /// tile's keys are there already; on return those of the next one are too, if there is one.
  template <Keys kKeys>
  __device__ __forceinline__ void step(Accumulators& acc, const Work& work, int i) {
    const bool last = i + 1 == work.count;
    [[maybe_unused]] typename Work::Dropped dropped;  // read early: it comes from memory
    if constexpr (kKeys == Keys::kAverages) dropped = work.dropped(i);
    wait_turn();
    issue_scores(acc);
    shared_.value_full[value_ring_.stage].wait(value_ring_.parity);
    issue_values(acc);
    pass_turn();

    wgmma_wait<1>();
    pin_registers(acc.scores);
    release(shared_.key_empty, key_ring_);
    if constexpr (kKeys == Keys::kMasked) apply_mask(acc, work, i);
    if constexpr (kKeys == Keys::kAverages) work.weigh(acc.scores, dropped);
    constexpr bool kMayBeEmpty = kKeys == Keys::kMasked;
    acc.softmax.template find_maximum<kMayBeEmpty>(0, acc.scores, params_.scale_log2);
    acc.softmax.template find_maximum<kMayBeEmpty>(1, acc.scores, params_.scale_log2);
    acc.softmax.exponentiate(0, acc.scores, params_.scale_log2);
    if constexpr (Config::kWaitMidway) {
      // The branch in wait_key keeps the assembler from moving the wait up.
      pin_registers(acc.scores);
      if (!last) wait_key();
      finish_values(acc);
      acc.softmax.exponentiate(1, acc.scores, params_.scale_log2);
    } else {
      acc.softmax.exponentiate(1, acc.scores, params_.scale_log2);
      finish_values(acc);
    }
    pack(acc);
#pragma unroll
    for (int row = 0; row < 2; ++row) scale_row(acc, row, acc.softmax.rescale(row));
    if constexpr (!Config::kWaitMidway) {
      if (!last) wait_key();
    }
  }

  __device__ __forceinline__ void last_values(Accumulators& acc) {
    shared_.value_full[value_ring_.stage].wait(value_ring_.parity);
    issue_values(acc);
    finish_values(acc);
  }

  /// scores = Q K^T, asynchronously, as one group.
  __device__ __forceinline__ void issue_scores(Accumulators& acc) {
    const uint64_t key = advance_descriptor(key_, key_ring_.stage * Config::kKvTileBytes);
    pin_registers(acc.scores);
    wgmma_fence();
#pragma unroll
    for (int k = 0; k < Config::kHeadDim; k += kStepK) {
      const int block = k / Config::kColumnBlock;
      const int byte = k % Config::kColumnBlock * 2;
      Wgmma<Config::kTileN>::shared_by_rows(
          acc.scores, advance_descriptor(query_, block * Config::kQueryColumnBlockBytes + byte),
          advance_descriptor(key, block * Config::kKvColumnBlockBytes + byte), k > 0);
    }
    wgmma_commit();
  }

  /// output += P V, asynchronously, as one group.
  __device__ __forceinline__ void issue_values(Accumulators& acc) {
    const uint64_t value = advance_descriptor(value_, value_ring_.stage * Config::kKvTileBytes);
    pin_registers(acc.output);
    pin_registers(acc.probabilities);
    wgmma_fence();
#pragma unroll
    for (int k = 0; k < Config::kTileN; k += kStepK) {
      const uint32_t* a = acc.probabilities + k / 4;
      Wgmma<Config::kHeadDim>::registers_by_columns(
          acc.output, a[0], a[1], a[2], a[3], advance_descriptor(value, k * Config::kRowBytes),
          true);
    }
    wgmma_commit();
  }

  __device__ __forceinline__ void finish_values(Accumulators& acc) {
    wgmma_wait<0>();
    pin_registers(acc.output);
    release(shared_.value_empty, value_ring_);
  }

  /// An accumulator of scores has the layout that wgmma wants of its left operand.
  __device__ __forceinline__ static void pack(Accumulators& acc) {
#pragma unroll
    for (int i = 0; i < Config::kTileN / 4; ++i) {
      acc.probabilities[i] = pack_bf16(acc.scores[2 * i], acc.scores[2 * i + 1]);
    }
  }

  __device__ __forceinline__ static void scale_row(Accumulators& acc, int row, float factor) {
#pragma unroll
    for (int i = 2 * row; i < Config::kHeadDim / 2; i += 4) {
      acc.output[i] *= factor;
      acc.output[i + 1] *= factor;
    }
  }

  /// Of the scores of tile `tile`, hides what a row may not see and what is not there.
  __device__ __forceinline__ void apply_mask(Accumulators& acc, const Work& work, int tile) const {
    const auto starts = work.starts(tile);
    const int lane_column = lane_index() % 4 * 2;
#pragma unroll
    for (int i = 0; i < Config::kTileN / 2; ++i) {
      const int column = i / 4 * 8 + i % 2;
      const int key = starts(column / 64) + lane_column + column % 64;
      const bool there = lane_column + column < work.rows(tile);
      if (key > row_limit_[i / 2 % 2] || !there) acc.scores[i] = -INFINITY;
    }
  }

  /// The first of this thread's two rows in the warpgroup's 64; the other is 8 below.
  __device__ __forceinline__ static int row_in_warpgroup() {
    const int warp = static_cast<int>(threadIdx.x) % kWarpgroupSize / kWarpSize;
    return warp * 16 + lane_index() / 4;
  }

  __device__ __forceinline__ void wait_key() const {
    shared_.key_full[key_ring_.stage].wait(key_ring_.parity);
  }

  /// Tells the loader that this warp has read the query for the last time.
  __device__ __forceinline__ void release_query() const {
    __syncwarp();
    if (lane_index() == 0) shared_.query_empty.arrive();
  }

  /// Tells the loader that this warp is done with a stage, and moves on to the next.
  __device__ __forceinline__ void release(Mbarrier (&empty)[Config::kStages], Ring& ring) const {
    if (lane_index() == 0) empty[ring.stage].arrive();
    ring.advance();
  }

  // Hardware barrier 0 is __syncthreads; the warpgroups' turns follow.
  static constexpr uint32_t kFirstTurnBarrier = 1;

  __device__ __forceinline__ void wait_turn() const {
    ::longview::sm90::named_barrier_sync(kFirstTurnBarrier + warpgroup_, 2 * kWarpgroupSize);
  }

  __device__ __forceinline__ void pass_turn() const {
    const int next = warpgroup_ + 1 == Config::kConsumers ? 0 : warpgroup_ + 1;
    ::longview::sm90::named_barrier_arrive(kFirstTurnBarrier + next, 2 * kWarpgroupSize);
  }

  const Params& params_;
  Shared& shared_;
  const int warpgroup_;
  const uint64_t
      query_;  // descriptors of this warpgroup's rows, the first K stage, the first V stage
  const uint64_t key_;
  const uint64_t value_;
  Ring key_ring_;
  Ring value_ring_;
  int row_limit_[2] = {0, 0};  // last key that each of this thread's rows may see
};

}  // namespace longview::attention::sm90
