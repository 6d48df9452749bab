// Warps and warpgroups of sm_90: roles, register budgets, small warp-wide helpers.
#pragma once

#include <cstdint>

namespace longview::sm90 {

constexpr int kWarpSize = 32;
constexpr int kWarpgroupSize = 128;
constexpr int kWarpsPerWarpgroup = kWarpgroupSize / kWarpSize;

/// Index of the calling thread's warpgroup, in a form the compiler knows to be uniform.
__device__ __forceinline__ int warpgroup_index() {
  return __shfl_sync(0xffffffff, static_cast<int>(threadIdx.x) / kWarpgroupSize, 0);
}

/// Index of the calling thread's warp within its block, uniform likewise.
__device__ __forceinline__ int warp_index() {
  return __shfl_sync(0xffffffff, static_cast<int>(threadIdx.x) / kWarpSize, 0);
}

__device__ __forceinline__ int lane_index() { return static_cast<int>(threadIdx.x) % kWarpSize; }

/// Gives registers of the calling warpgroup back to the block's pool.
template <int kRegisters>
__device__ __forceinline__ void release_registers() {
  asm volatile("setmaxnreg.dec.sync.aligned.u32 %0;" ::"n"(kRegisters));
}

/// Takes registers from the block's pool for the calling warpgroup.
template <int kRegisters>
__device__ __forceinline__ void acquire_registers() {
  asm volatile("setmaxnreg.inc.sync.aligned.u32 %0;" ::"n"(kRegisters));
}

}  // namespace longview::sm90
