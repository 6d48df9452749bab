// Causal prefill attention by mma.sync and cp.async, for compute capability 8.0 and newer: one
// block of threads. After FlashAttention-2 (Dao, 2023, arXiv:2307.08691), section 3.
#pragma once

#include "attention/warp_attention.cuh"

namespace longview::attention::portable {

/// Two tiles of keys and two of values are in shared memory; one of each is being loaded while the
/// other is worked on.
template <int kHeadDim_>
struct PrefillConfig {
  static constexpr int kHeadDim = kHeadDim_;
  static constexpr int kWarps = 8;
  static constexpr int kThreads = 32 * kWarps;
  static constexpr int kTileRows = 16 * kWarps;
  static constexpr int kTileKeys = 64;
  static constexpr int kTileBytes = kTileKeys * kHeadDim * 2;
  static constexpr int kSharedBytes = 4 * kTileBytes;
  static constexpr int kBlocksPerMultiprocessor = kHeadDim == 64 ? 2 : 1;
};

/// kTileRows rows against tiles of keys. `Work` says which:
///   query(), output()   where offsets of rows count from
///   count, masked       key tiles to visit, and how many of the first need the mask
///   unmasked_end        the tiles from here on, one at most, need it again,
///   masked_end          up to this one
///   kAverages           whether keys of the tiles behind stand for several; then
///   dropped(i)          has a bit for those that count, and
///   average_bias()      is what that adds to a raw score
///   keys(i), values(i)  what the i-th tile is part of
///   start(i), end(i)    the tile's first key there, and how many keys there are
///   exists(row)         whether the block's row is one of the call
///   last_visible(row)   the last key that it may see
///   offset(row)         where it lies in query and output
/// Keys come latest first, so that the masked tiles lead: what a row has not seen leaves no trace
/// in it, and its bits do not depend on the block it is in.
template <class Config, class Work>
class PrefillBlock {
 public:
  static constexpr int kHeadDim = Config::kHeadDim;

  __device__ __forceinline__ PrefillBlock(const Work& work, float scale_log2, uint32_t shared)
      : work_(work), scale_log2_(scale_log2), shared_(shared) {}

  __device__ __forceinline__ void run() {
    fetch_keys(0);
    fetch_values(0);
    load_rows();
    int i = 0;
    for (; i < work_.masked; ++i) step<Keys::kMasked>(i);
    for (; i < work_.unmasked_end; ++i) step<Keys::kAll>(i);
    if (i < work_.masked_end) step<Keys::kMasked>(i++);
    if constexpr (Work::kAverages) {
      for (; i < work_.count; ++i) step<Keys::kAverages>(i);
    }
    store_rows();
  }

 private:
  using Warp = WarpAttention<kHeadDim, Config::kTileKeys>;
  using Tile = typename Warp::Tile;

  enum class Keys { kAll, kMasked, kAverages };  // which of a tile's keys count, and how

  /// One tile of keys and values, while the next ones are on their way.
  template <Keys kKeys>
  __device__ __forceinline__ void step(int i) {
    sm80::wait_for_copies<1>();  // the tile's values may be missing
    __syncthreads();
    fetch_keys(i + 1);
    warp_.score(key_tile(i));
    if constexpr (kKeys == Keys::kMasked) mask(i);
    if constexpr (kKeys == Keys::kAverages) {
      warp_.weigh(work_.dropped(i).words, work_.average_bias());
    }
    warp_.template soften<kKeys == Keys::kMasked>(scale_log2_);
    sm80::wait_for_copies<1>();  // the next keys may be missing
    __syncthreads();
    fetch_values(i + 1);
    warp_.accumulate(value_tile(i));
  }

  /// Hides what a row may not see and what is not there.
  __device__ __forceinline__ void mask(int i) {
    const int last = work_.end(i) - 1;
    const int limits[2] = {min(last_visible_[0], last), min(last_visible_[1], last)};
    warp_.mask(work_.start(i), limits);
  }

  /// Starts copying a tile, as one group; the group is empty where there is no such tile.
  __device__ __forceinline__ void fetch_keys(int i) const {
    if (i < work_.count) copy(work_.keys(i), key_tile(i), i);
    sm80::commit_copies();
  }
  __device__ __forceinline__ void fetch_values(int i) const {
    if (i < work_.count) copy(work_.values(i), value_tile(i), i);
    sm80::commit_copies();
  }

  __device__ __forceinline__ void copy(const KvRows& rows, Tile destination, int i) const {
    copy_rows<kHeadDim, Config::kTileKeys, Config::kThreads>(
        destination, rows, work_.start(i), work_.end(i), static_cast<int>(threadIdx.x));
  }

  __device__ __forceinline__ void load_rows() {
    const uint16_t* sources[2];
#pragma unroll
    for (int i = 0; i < 2; ++i) {
      const int row = lane_row(i);
      sources[i] = work_.exists(row) ? work_.query() + work_.offset(row) : nullptr;
      last_visible_[i] = work_.last_visible(row);
    }
    warp_.load_query(sources[0], sources[1]);
  }

  __device__ __forceinline__ void store_rows() {
#pragma unroll
    for (int i = 0; i < 2; ++i) {
      const int row = lane_row(i);
      warp_.scale_output(i, 1.f / warp_.softmax().sum(i));
      store_row<kHeadDim>(warp_.output(), i,
                          work_.exists(row) ? work_.output() + work_.offset(row) : nullptr);
    }
  }

  /// The lane's i-th row among the block's.
  __device__ __forceinline__ static int lane_row(int i) {
    const int warp = static_cast<int>(threadIdx.x) / 32;
    return 16 * warp + static_cast<int>(threadIdx.x) % 32 / 4 + 8 * i;
  }

  __device__ __forceinline__ Tile key_tile(int i) const {
    return {shared_ + (i & 1) * Config::kTileBytes};
  }
  __device__ __forceinline__ Tile value_tile(int i) const {
    return {shared_ + (2 + (i & 1)) * Config::kTileBytes};
  }

  const Work& work_;
  const float scale_log2_;
  const uint32_t shared_;
  int last_visible_[2];
  Warp warp_;
};

}  // namespace longview::attention::portable
