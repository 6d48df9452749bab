#include "gemm/fp8/quantize.h"

#include <cuda_fp8.h>

#include "common/programmatic_launch.cuh"
#include "gemm/bf16_pair.cuh"

namespace longview::gemm {

namespace {

constexpr int kThreads = 128;
constexpr int kWarps = kThreads / 32;
constexpr int kPiece = 8;  // bf16 in 16 bytes
constexpr unsigned kAllLanes = 0xffffffffu;

/// Below this, a row's magnitudes are not told apart: its scale stays a normal number.
constexpr float kSmallestMagnitude = 1e-30f;

struct RowFacts {
  float squares;    // the sum of the squares of the input
  float magnitude;  // the largest of the values to be rounded, before the norm's factor
};

/// Of the values of all threads, in every thread and in a fixed order.
__device__ RowFacts across_block(RowFacts facts) {
  __shared__ RowFacts warps[kWarps];
#pragma unroll
  for (int distance = 16; distance > 0; distance /= 2) {
    facts.squares += __shfl_xor_sync(kAllLanes, facts.squares, distance);
    facts.magnitude =
        fmaxf(facts.magnitude, __shfl_xor_sync(kAllLanes, facts.magnitude, distance));
  }
  if (threadIdx.x % 32 == 0) warps[threadIdx.x / 32] = facts;
  __syncthreads();
  facts = warps[0];
#pragma unroll
  for (int warp = 1; warp < kWarps; ++warp) {
    facts.squares += warps[warp].squares;
    facts.magnitude = fmaxf(facts.magnitude, warps[warp].magnitude);
  }
  return facts;
}

/// Two values of a row and what the norm multiplies them by, feature by feature.
__device__ float2 weighted(uint32_t pair, const float* norm_weight) {
  float2 values = from_bf16_pair(pair);
  if (norm_weight != nullptr) {
    const float2 weights = *reinterpret_cast<const float2*>(norm_weight);
    values.x *= weights.x;
    values.y *= weights.y;
  }
  return values;
}

__device__ uint32_t to_e4m3_pair(float2 values) {
  return __nv_cvt_float2_to_fp8x2(values, __NV_SATFINITE, __NV_E4M3);
}

/// A block rounds one row, which it keeps in registers: kPieces x 8 elements a thread.
template <int kPieces>
__global__ void __launch_bounds__(kThreads)
    quantize_kernel(const __grid_constant__ QuantizeParams params) {
  let_next_kernel_start();
  wait_for_previous_kernel();
  const int pieces = params.features / kPiece;
  const int64_t first = int64_t{blockIdx.x} * pieces;
  const float* const norm_weight = params.norm_weight;
  uint32_t words[kPieces][4];
  RowFacts facts{};
#pragma unroll
  for (int i = 0; i < kPieces; ++i) {
    const int piece = threadIdx.x + i * kThreads;
    if (piece >= pieces) continue;
    const uint4 eight = static_cast<const uint4*>(params.input)[first + piece];
    words[i][0] = eight.x;
    words[i][1] = eight.y;
    words[i][2] = eight.z;
    words[i][3] = eight.w;
#pragma unroll
    for (int word = 0; word < 4; ++word) {
      const float2 plain = from_bf16_pair(words[i][word]);
      const float2 values = weighted(
          words[i][word], norm_weight == nullptr ? nullptr : norm_weight + 8 * piece + 2 * word);
      facts.squares += plain.x * plain.x + plain.y * plain.y;
      facts.magnitude = fmaxf(facts.magnitude, fmaxf(fabsf(values.x), fabsf(values.y)));
    }
  }
  facts = across_block(facts);

  const float factor = norm_weight == nullptr
                           ? 1.f
                           : rsqrtf(facts.squares / params.features + params.norm_epsilon);
  const float magnitude = fmaxf(facts.magnitude * factor, kSmallestMagnitude);
  const float to_e4m3 = factor * (kE4m3Max / magnitude);
  if (threadIdx.x == 0) params.scales[blockIdx.x] = magnitude / kE4m3Max;
#pragma unroll
  for (int i = 0; i < kPieces; ++i) {
    const int piece = threadIdx.x + i * kThreads;
    if (piece >= pieces) continue;
    uint32_t pairs[4];
#pragma unroll
    for (int word = 0; word < 4; ++word) {
      const float2 values = weighted(
          words[i][word], norm_weight == nullptr ? nullptr : norm_weight + 8 * piece + 2 * word);
      pairs[word] = to_e4m3_pair({values.x * to_e4m3, values.y * to_e4m3});
    }
    static_cast<uint2*>(params.output)[first + piece] = {pairs[0] | pairs[1] << 16,
                                                         pairs[2] | pairs[3] << 16};
  }
}

template <int kPieces>
void launch(const QuantizeParams& params, cudaStream_t stream) {
  launch_programmatic(quantize_kernel<kPieces>, params.rows, kThreads, 0, stream, params);
}

}  // namespace

void launch_quantize(const QuantizeParams& params, cudaStream_t stream) {
  constexpr int kStride = kThreads * kPiece;
  static_assert(kMaxQuantizedFeatures == 20 * kStride);
  const int pieces = (params.features + kStride - 1) / kStride;
  if (pieces <= 2) return launch<2>(params, stream);
  if (pieces <= 5) return launch<5>(params, stream);
  if (pieces <= 9) return launch<9>(params, stream);
  launch<20>(params, stream);
}

}  // namespace longview::gemm
