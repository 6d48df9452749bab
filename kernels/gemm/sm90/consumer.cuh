// The products of one computing warpgroup.
#pragma once

#include "common/sm90/cluster.cuh"
#include "common/sm90/wgmma.cuh"
#include "gemm/sm90/epilogue.cuh"
#include "gemm/sm90/loader.cuh"

namespace longview::gemm::sm90 {

template <Epilogue kEpilogue>
class Consumer {
 public:
  __device__ Consumer(const KernelParams& params, SharedStorage& shared, uint32_t block, int index)
      : params_(params), shared_(shared), block_(block), index_(index) {}

  __device__ __forceinline__ void run() {
    TileSchedule schedule(params_);
    EpilogueStore<kEpilogue> store(params_, shared_, index_);
    Tile tile;
    while (schedule.next(block_, tile)) {
      float sums[Config::kAccumulators];
      Residual<kEpilogue> residual;
      const int lane = ::longview::sm90::lane_index();
      const int warp = ::longview::sm90::warp_index() % kWarpsPerWarpgroup;
      residual.load(params_,
                    tile.first_row + index_ * Config::kWarpgroupRows + 16 * warp + lane / 4,
                    tile.first_column + 2 * (lane % 4));
      multiply(sums);
      store.run(tile, sums, residual);
    }
  }

 private:
  /// One step's products run while the next step's are issued; a stage is given back once the
  /// products behind it have been issued and its own are done.
  __device__ __forceinline__ void multiply(float (&sums)[Config::kAccumulators]) {
    int previous = -1;
    for (int step = 0; step < params_.k_steps; ++step) {
      shared_.full[ring_.stage].wait(ring_.parity);
      ::longview::sm90::pin_registers(sums);
      ::longview::sm90::wgmma_fence();
      issue(sums, step > 0);
      ::longview::sm90::wgmma_commit();
      ::longview::sm90::wgmma_wait<1>();
      if (previous >= 0) release(previous);
      previous = ring_.stage;
      ring_.advance();
    }
    ::longview::sm90::wgmma_wait<0>();
    ::longview::sm90::pin_registers(sums);
    release(previous);
  }

  __device__ __forceinline__ void issue(float (&sums)[Config::kAccumulators], bool accumulate) {
    constexpr uint32_t kSliceBytes = 16 * 2;
    const uint64_t a = ::longview::sm90::swizzled_descriptor(
        shared_.activations[ring_.stage] + index_ * Config::kWarpgroupRows * Config::kTileK, 0);
    const uint64_t b = ::longview::sm90::swizzled_descriptor(shared_.weights[ring_.stage], 0);
#pragma unroll
    for (int slice = 0; slice < Config::kTileK / 16; ++slice) {
      ::longview::sm90::Wgmma<Config::kTileN>::shared_by_rows(
          sums, ::longview::sm90::advance_descriptor(a, slice * kSliceBytes),
          ::longview::sm90::advance_descriptor(b, slice * kSliceBytes), accumulate || slice > 0);
    }
  }

  __device__ __forceinline__ void release(int stage) {
    const int lane = ::longview::sm90::lane_index();
    if (lane < Config::kClusterBlocks) {
      ::longview::sm90::arrive_in_block(&shared_.empty[stage], lane);
    }
  }

  const KernelParams& params_;
  SharedStorage& shared_;
  const uint32_t block_;
  const int index_;
  RingPosition<Config::kStages> ring_;
};

}  // namespace longview::gemm::sm90
