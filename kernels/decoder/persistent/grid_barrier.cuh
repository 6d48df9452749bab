// A barrier of all blocks of a cooperative launch.
#pragma once

#include <cstdint>

#include "decoder/persistent/step_context.cuh"

namespace longview::decoder {

/// What threads of any block wrote before arrive(), every thread reads after the wait() that
/// belongs to it. All threads that compute, of all blocks, call both, in turns.
class GridBarrier {
 public:
  /// `arrivals` is zero when the kernel starts, and its alone.
  __device__ explicit GridBarrier(uint32_t* arrivals) : arrivals_(arrivals) {}

  __device__ void arrive() {
    sync_warps();
    expected_ += gridDim.x;
    if (threadIdx.x != 0) return;
    asm volatile("red.release.gpu.global.add.u32 [%0], 1;" ::"l"(arrivals_) : "memory");
  }

  __device__ void wait() const {
    if (threadIdx.x == 0) {
      while (arrived() < expected_) {
      }
    }
    sync_warps();
  }

 private:
  __device__ uint32_t arrived() const {
    uint32_t count;
    asm volatile("ld.acquire.gpu.global.u32 %0, [%1];" : "=r"(count) : "l"(arrivals_) : "memory");
    return count;
  }

  uint32_t* arrivals_;
  uint32_t expected_ = 0;
};

}  // namespace longview::decoder
