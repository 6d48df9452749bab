// Second kernel of flash decode: adds up the splits of a head in a fixed order.
#pragma once

#include "attention/decode/split_kernel.cuh"

namespace longview::attention {

/// The largest of a head's scaled maxima; each warp finds it for itself.
__device__ __forceinline__ float maximum_of(const float2* softmax, int splits) {
  float maximum = -INFINITY;
  for (int i = static_cast<int>(threadIdx.x) % 32; i < splits; i += 32) {
    maximum = fmaxf(maximum, softmax[i].x);
  }
#pragma unroll
  for (int step = 16; step > 0; step /= 2) {
    maximum = fmaxf(maximum, __shfl_xor_sync(0xffffffff, maximum, step));
  }
  return maximum;
}

/// A block is a head. Warp w adds splits w, w + kWarps, ...; then the warps' sums are added.
template <int kHeadDim>
__global__ void __launch_bounds__(CombineConfig::kThreads)
    decode_combine_kernel(const __grid_constant__ DecodeKernelParams params) {
  constexpr int kLaneColumns = kHeadDim / 32;
  constexpr int kSliceKeys = DecodeConfig<kHeadDim>::kSliceKeys;
  __shared__ float outputs[CombineConfig::kWarps][kHeadDim];
  __shared__ float sums[CombineConfig::kWarps];
  let_next_kernel_start();
  wait_for_previous_kernel();

  const int slices = (current_kv_len(params) + kSliceKeys - 1) / kSliceKeys;
  const int splits = decode_splits(slices, params.split_limit);
  const int warp = static_cast<int>(threadIdx.x) / 32;
  const int first_column = static_cast<int>(threadIdx.x) % 32 * kLaneColumns;
  const int64_t first_part = int64_t{blockIdx.x} * params.max_splits;
  const float2* softmax = params.partial_softmax + first_part;
  const float* partial = params.partial_outputs + first_part * kHeadDim + first_column;

  const float maximum = maximum_of(softmax, splits);
  float output[kLaneColumns] = {};
  float sum = 0.f;
#pragma unroll 8
  for (int split = warp; split < splits; split += CombineConfig::kWarps) {
    const float factor = exp2_fast(softmax[split].x - maximum);
    sum += factor * softmax[split].y;
#pragma unroll
    for (int i = 0; i < kLaneColumns; i += 2) {
      const float2 pair = *reinterpret_cast<const float2*>(partial + split * kHeadDim + i);
      output[i] += factor * pair.x;
      output[i + 1] += factor * pair.y;
    }
  }
#pragma unroll
  for (int i = 0; i < kLaneColumns; ++i) outputs[warp][first_column + i] = output[i];
  sums[warp] = sum;
  __syncthreads();

  const int column = static_cast<int>(threadIdx.x);
  if (column >= kHeadDim) return;
  float total = 0.f;
  float total_sum = 0.f;
#pragma unroll
  for (int w = 0; w < CombineConfig::kWarps; ++w) {
    total += outputs[w][column];
    total_sum += sums[w];
  }
  const float result = splits == 0 ? 0.f : total / total_sum;
  params.output[int64_t{blockIdx.x} * kHeadDim + column] =
      __bfloat16_as_ushort(__float2bfloat16_rn(result));
}

}  // namespace longview::attention
