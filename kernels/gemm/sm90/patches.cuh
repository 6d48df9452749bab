// The way of a warpgroup's output through shared memory, in patches of 64 x 64.
#pragma once

#include "common/sm90/tma.cuh"
#include "gemm/sm90/tile_schedule.cuh"

namespace longview::gemm::sm90 {

template <Epilogue kEpilogue>
constexpr int kSumsPerOutput = kEpilogue == Epilogue::kSwiglu ? 2 : 1;

/// Whether the epilogue reads something besides the sums. It comes into the buffer that the output
/// leaves from, or beside it.
template <class Config, Epilogue kEpilogue>
constexpr bool kIsFilledFirst = Config::Operand::kIsScaled || kEpilogue == Epilogue::kBias ||
                                kEpilogue == Epilogue::kResidual;

/// Where the biases of a patch lie among its column values: behind the scales.
template <class Config>
constexpr int kBiasOffset = Config::Operand::kIsScaled ? Config::kPatchColumns : 0;

struct Patch {
  int slab;          // of the warpgroup's rows
  int column_block;  // of the tile's output columns
  int first_row;
  int first_column;  // of the output
};

/// The patches of one computing warpgroup in the order of its epilogues.
template <class Config, Epilogue kEpilogue>
class PatchSchedule {
 public:
  static constexpr int kColumnBlocks =
      Config::kTileN / kSumsPerOutput<kEpilogue> / Config::kPatchColumns;
  static constexpr int kPerTile = Config::kSlabs * kColumnBlocks;
  static_assert(kColumnBlocks * Config::kPatchColumns * kSumsPerOutput<kEpilogue> == Config::kTileN);

  __device__ static Patch of(const Tile& tile, int index) {
    const int slab = index / kColumnBlocks;
    const int column_block = index % kColumnBlocks;
    return {slab, column_block, tile.first_row + slab * Config::kSlabRows,
            tile.first_column / kSumsPerOutput<kEpilogue> + column_block * Config::kPatchColumns};
  }

  __device__ PatchSchedule(const KernelParams& params, int consumer)
      : tiles_(params, consumer), index_(kPerTile) {}

  /// False when there are no more patches.
  __device__ bool next(Patch& patch) {
    if (index_ == kPerTile) {
      if (!tiles_.next(tile_)) return false;
      index_ = 0;
    }
    patch = of(tile_, index_++);
    return true;
  }

  __device__ bool is_last_of_tile() const { return index_ == kPerTile; }

 private:
  ConsumerSchedule<Config> tiles_;
  Tile tile_;
  int index_;
};

/// Owns one computing warpgroup's output buffers, from another warp: fills them with what the epilogue
/// adds, and stores them when they hold output. One thread.
template <class Config, Epilogue kEpilogue>
class PatchMover {
 public:
  __device__ PatchMover(const KernelParams& params, SharedStorage<Config>& shared, int consumer)
      : params_(params), shared_(shared), consumer_(consumer), ahead_(params, consumer) {}

  __device__ __forceinline__ void run() {
    if (kIsFilledFirst<Config, kEpilogue>) {
      for (int buffer = 0; buffer < Config::kOutputBuffers; ++buffer) make_ready(buffer);
    }
    PatchSchedule<Config, kEpilogue> schedule(params_, consumer_);
    RingPosition<Config::kOutputBuffers> ring;
    Patch patch;
    int read = -1;  // the buffer that the store before the last one reads
    while (schedule.next(patch)) {
      const int buffer = ring.stage;
      shared_.patch_full[consumer_][buffer].wait_asleep(ring.parity);
      ::longview::sm90::tma_store_2d(&params_.output, shared_.output[consumer_][buffer],
                                     patch.first_column, patch.first_row);
      ::longview::sm90::tma_store_commit();
      if (read >= 0) {
        ::longview::sm90::tma_store_wait_read<1>();
        make_ready(read);
      }
      read = buffer;
      // A product's time passes before the next store: the last buffer is not kept waiting for it.
      if (schedule.is_last_of_tile()) {
        ::longview::sm90::tma_store_wait_read<0>();
        make_ready(read);
        read = -1;
      }
      ring.advance();
    }
  }

 private:
  /// Lets the epilogue write to `buffer`, once what it reads has come.
  __device__ __forceinline__ void make_ready(int buffer) {
    Mbarrier* const ready = &shared_.patch_ready[consumer_][buffer];
    if constexpr (!kIsFilledFirst<Config, kEpilogue>) {
      ready->arrive();
      return;
    }
    Patch patch;
    if (!ahead_.next(patch)) return;
    const bool has_columns = patch.first_column < params_.output_columns;
    ready->arrive_and_expect(kResidualBytes + (has_columns ? kScaleBytes + kBiasBytes : 0));
    if constexpr (kResidualBytes > 0) {
      ::longview::sm90::tma_load_2d(shared_.output[consumer_][buffer], &params_.residual, ready,
                                    ::longview::sm90::CachePolicy::kEvictNormal,
                                    patch.first_column, patch.first_row);
    }
    float* const values = shared_.column_values[consumer_][buffer];
    if (kScaleBytes > 0 && has_columns) {
      ::longview::sm90::bulk_load(
          values, params_.column_scales + patch.first_column * kSumsPerOutput<kEpilogue>, ready,
          kScaleBytes);
    }
    if (kBiasBytes > 0 && has_columns) {
      ::longview::sm90::bulk_load(values + kBiasOffset<Config>, params_.bias + patch.first_column,
                                  ready, kBiasBytes);
    }
  }

  static constexpr uint32_t kFloatBytes = sizeof(float) * Config::kPatchColumns;
  static constexpr uint32_t kResidualBytes =
      kEpilogue == Epilogue::kResidual ? Config::kSlabRows * Config::kPatchColumns * 2 : 0;
  static constexpr uint32_t kScaleBytes =
      Config::Operand::kIsScaled ? kFloatBytes * kSumsPerOutput<kEpilogue> : 0;
  static constexpr uint32_t kBiasBytes = kEpilogue == Epilogue::kBias ? kFloatBytes : 0;

  const KernelParams& params_;
  SharedStorage<Config>& shared_;
  const int consumer_;
  PatchSchedule<Config, kEpilogue> ahead_;
};

}  // namespace longview::gemm::sm90
