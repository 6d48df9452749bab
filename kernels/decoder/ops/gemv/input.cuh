// The input vector of a matrix-vector product, brought to shared memory as bf16, normed on the way.
#pragma once

#include "decoder/ops/gemv/config.h"
#include "decoder/ops/gemv/params.h"
#include "decoder/ops/gemv/prefetch.cuh"
#include "decoder/ops/warp.cuh"
#include "quant/decode.cuh"

namespace longview::decoder {

constexpr int kInputVector = 8;  // bf16 in 16 bytes

/// Fetches the norm's weights, which no kernel writes: before the input is there.
__device__ inline void prefetch_norm(const GemvInput& input, int columns) {
  constexpr int kSectorFloats = 8;
  if (input.norm_weight == nullptr) return;
  for (int i = threadIdx.x * kSectorFloats; i < columns; i += kGemvThreads * kSectorFloats) {
    prefetch_to_l2(input.norm_weight + i);
  }
}

/// The sum over the block's threads, in a fixed order, in every thread.
__device__ inline float block_sum(float value) {
  __shared__ float warp_sums[kGemvWarps];
  const float of_warp = warp_sum(value);
  if (threadIdx.x % kWarpThreads == 0) warp_sums[threadIdx.x / kWarpThreads] = of_warp;
  __syncthreads();
  float sum = 0.f;
#pragma unroll
  for (const float part : warp_sums) sum += part;
  return sum;
}

__device__ inline float squares(uint4 eight) {
  const float2 pairs[4] = {quant::unpack_bf16(eight.x), quant::unpack_bf16(eight.y),
                           quant::unpack_bf16(eight.z), quant::unpack_bf16(eight.w)};
  float sum = 0.f;
#pragma unroll
  for (const float2& pair : pairs) sum += pair.x * pair.x + pair.y * pair.y;
  return sum;
}

__device__ inline uint32_t normed(uint32_t word, float scale, float weight_low, float weight_high) {
  const float2 pair = quant::unpack_bf16(word);
  return quant::pack_bf16(pair.x * scale * weight_low, pair.y * scale * weight_high);
}

/// Fills `staged` [columns]; the whole block takes part, and may read all of it afterwards.
__device__ inline void stage_input(const GemvInput& input, int columns, uint4* staged) {
  const auto* source = static_cast<const uint4*>(input.values);
  const int vectors = columns / kInputVector;
  float sum = 0.f;
  for (int i = threadIdx.x; i < vectors; i += kGemvThreads) {
    const uint4 eight = source[i];
    staged[i] = eight;
    sum += squares(eight);
  }
  if (input.norm_weight != nullptr) {
    const float scale = rsqrtf(block_sum(sum) / columns + input.norm_epsilon);
    const auto* weight = reinterpret_cast<const float4*>(input.norm_weight);
    for (int i = threadIdx.x; i < vectors; i += kGemvThreads) {
      const uint4 eight = staged[i];
      const float4 low = weight[2 * i];
      const float4 high = weight[2 * i + 1];
      staged[i] = {normed(eight.x, scale, low.x, low.y), normed(eight.y, scale, low.z, low.w),
                   normed(eight.z, scale, high.x, high.y), normed(eight.w, scale, high.z, high.w)};
    }
  }
  __syncthreads();
}

}  // namespace longview::decoder
