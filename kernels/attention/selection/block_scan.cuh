// Sums over the threads of a block, in integers: their order changes nothing.
#pragma once

#include <cstdint>

namespace longview::attention {

constexpr int kFilterThreads = 256;
constexpr int kFilterWarps = kFilterThreads / 32;

/// A mass, in units of 2^-26, and a number of blocks; neither sum exceeds 32 bits.
struct Tally {
  uint32_t mass = 0;
  uint32_t count = 0;

  __device__ __forceinline__ Tally operator+(const Tally& other) const {
    return {mass + other.mass, count + other.count};
  }
};

/// The sum over the threads before the calling one; `total` becomes that over all. `warps` is
/// shared memory, free when all threads have come here.
__device__ __forceinline__ Tally scan_exclusive(const Tally& own, Tally (&warps)[kFilterWarps],
                                                Tally& total) {
  const int lane = static_cast<int>(threadIdx.x) % 32;
  const int warp = static_cast<int>(threadIdx.x) / 32;
  Tally inclusive = own;
#pragma unroll
  for (int distance = 1; distance < 32; distance *= 2) {
    const Tally lower{__shfl_up_sync(0xffffffff, inclusive.mass, distance),
                      __shfl_up_sync(0xffffffff, inclusive.count, distance)};
    if (lane >= distance) inclusive = inclusive + lower;
  }
  __syncthreads();
  if (lane == 31) warps[warp] = inclusive;
  __syncthreads();
  Tally before{inclusive.mass - own.mass, inclusive.count - own.count};
  total = {};
#pragma unroll
  for (int i = 0; i < kFilterWarps; ++i) {
    if (i < warp) before = before + warps[i];
    total = total + warps[i];
  }
  return before;
}

}  // namespace longview::attention
