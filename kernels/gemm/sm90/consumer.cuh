// The products of one computing warpgroup.
#pragma once

#include "common/sm90/cluster.cuh"
#include "common/sm90/wgmma.cuh"
#include "gemm/sm90/epilogue.cuh"
#include "gemm/sm90/loader.cuh"

namespace longview::gemm::sm90 {

template <class Config, Epilogue kEpilogue>
class Consumer {
 public:
  using Sums = typename EpilogueWriter<Config, kEpilogue>::Sums;

  __device__ Consumer(const KernelParams& params, SharedStorage<Config>& shared, int index)
      : params_(params), shared_(shared), index_(index), released_block_(released_block()) {}

  __device__ __forceinline__ void run() {
    ConsumerSchedule<Config> schedule(params_, index_);
    EpilogueWriter<Config, kEpilogue> epilogue(shared_, index_);
    if (Config::kIsPingPong && index_ == 1) {
      end_turn();
      ring_.advance_by(params_.k_steps);
    }
    Tile tile;
    while (schedule.next(tile)) {
      Sums sums;
      RowScales<Config> row_scales;
      row_scales.load(params_, tile.first_row);
      multiply(sums);
      epilogue.run(sums, row_scales);
      if (Config::kIsPingPong) ring_.advance_by(params_.k_steps);
    }
  }

 private:
  static constexpr int kFirstTurnBarrier = 1;

  /// One step's products run while the next step's are issued; a stage is given back once the
  /// products behind it have been issued and its own are done.
  __device__ __forceinline__ void multiply(Sums& sums) {
    if (Config::kIsPingPong) await_turn();
    int previous = -1;
    for (int step = 0; step < params_.k_steps; ++step) {
      shared_.full[ring_.stage].wait_asleep(ring_.parity);
      pin(sums);
      ::longview::sm90::wgmma_fence();
      issue(sums, step > 0);
      ::longview::sm90::wgmma_commit();
      ::longview::sm90::wgmma_wait<1>();
      if (previous >= 0) release(previous);
      previous = ring_.stage;
      ring_.advance();
    }
    if (Config::kIsPingPong) end_turn();
    ::longview::sm90::wgmma_wait<0>();
    pin(sums);
    release(previous);
  }

  static __device__ __forceinline__ void pin(Sums& sums) {
#pragma unroll
    for (int slab = 0; slab < Config::kSlabs; ++slab) ::longview::sm90::pin_registers(sums[slab]);
  }

  __device__ __forceinline__ void issue(Sums& sums, bool accumulate) {
    constexpr uint32_t kSliceBytes = 32;
    constexpr uint32_t kSlabBytes = Config::kSlabRows * Config::kTileK * 2;
    const int first_row = Config::kIsPingPong ? 0 : index_ * Config::kWarpgroupRows;
    const uint64_t a = ::longview::sm90::swizzled_descriptor(
        shared_.activations[ring_.stage] + first_row * Config::kTileK, 0);
    const uint64_t b = ::longview::sm90::swizzled_descriptor(shared_.weights[ring_.stage], 0);
#pragma unroll
    for (int slice = 0; slice < Config::kTileK * 2 / static_cast<int>(kSliceBytes); ++slice) {
#pragma unroll
      for (int slab = 0; slab < Config::kSlabs; ++slab) {
        Config::Operand::template Product<Config::kTileN>::shared_by_rows(
            sums[slab],
            ::longview::sm90::advance_descriptor(a, slab * kSlabBytes + slice * kSliceBytes),
            ::longview::sm90::advance_descriptor(b, slice * kSliceBytes), accumulate || slice > 0);
      }
    }
  }

  /// The warpgroups issue the products of whole tiles in turn, in the order of the loads.
  __device__ __forceinline__ void await_turn() const {
    ::longview::sm90::named_barrier_sync(kFirstTurnBarrier + index_,
                                         Config::kConsumers * kWarpgroupSize);
  }

  __device__ __forceinline__ void end_turn() const {
    ::longview::sm90::named_barrier_arrive(kFirstTurnBarrier + (1 - index_),
                                           Config::kConsumers * kWarpgroupSize);
  }

  /// One thread for each block: a product of a warpgroup is done for all of its warps at once (CUTLASS's
  /// pipelines rely on it, too).
  __device__ __forceinline__ void release(int stage) const {
    if (threadIdx.x % kWarpgroupSize < Config::kReleasedBlocks) {
      ::longview::sm90::arrive_in_block(&shared_.empty[stage], released_block_);
    }
  }

  /// The block of the cluster that this lane of the first warp gives stages back to: those beside this
  /// block, itself among them, then those below or above it.
  static __device__ __forceinline__ int released_block() {
    const ClusterPlace<Config> place;
    const int lane = ::longview::sm90::lane_index();
    if (lane < Config::kClusterN) return place.row * Config::kClusterN + lane;
    const int other = lane - Config::kClusterN;
    return (other < place.row ? other : other + 1) * Config::kClusterN + place.column;
  }

  const KernelParams& params_;
  SharedStorage<Config>& shared_;
  const int index_;
  const int released_block_;
  RingPosition<Config::kStages> ring_;
};

}  // namespace longview::gemm::sm90
