// Sums across a warp, in a fixed order.
#pragma once

namespace longview::decoder {

constexpr int kWarpThreads = 32;

/// The sum of `value` over groups of `kLanes` neighbouring lanes, in every lane.
template <int kLanes = kWarpThreads>
__device__ inline float warp_sum(float value) {
#pragma unroll
  for (int distance = kLanes / 2; distance > 0; distance /= 2) {
    value += __shfl_xor_sync(0xffffffffu, value, distance);
  }
  return value;
}

__device__ inline float silu(float value) { return value / (1.f + __expf(-value)); }

}  // namespace longview::decoder
