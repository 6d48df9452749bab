// Operations that treat each row of a matrix by itself: embedding, RMSNorm, SwiGLU.
#include <cstdint>

#include "common/programmatic_launch.cuh"
#include "decoder/ops/api.h"
#include "decoder/ops/checks.h"
#include "decoder/ops/warp.cuh"
#include "quant/api.h"
#include "quant/dispatch.cuh"

namespace longview::decoder {

namespace {

using quant::BlockFormat;
using quant::kRunElements;
using quant::pack_bf16;
using quant::unpack_bf16;

constexpr int kThreads = 256;
constexpr int kWarps = kThreads / kWarpThreads;
constexpr int kVector = 8;  // bf16 in 16 bytes

unsigned blocks_for(int64_t work, int per_block) {
  return static_cast<unsigned>((work + per_block - 1) / per_block);
}

/// A thread decodes one run of 16 elements.
template <BlockFormat kFormat>
__global__ void embedding_kernel(const __grid_constant__ EmbeddingParams params, int64_t row_bytes,
                                 int row_runs) {
  let_next_kernel_start();
  wait_for_previous_kernel();
  const int64_t index = int64_t{blockIdx.x} * kThreads + threadIdx.x;
  const int token = static_cast<int>(index / row_runs);
  const int run = static_cast<int>(index % row_runs);
  if (token >= params.tokens) return;
  const int id = params.token_ids[token];
  float values[kRunElements];
  if (id >= 0 && id < params.table.rows) {
    const auto* row = static_cast<const uint8_t*>(params.table.data) + id * row_bytes;
    quant::decode_run(quant::Format<kFormat>{}, row, run, values);
  } else {
#pragma unroll
    for (float& value : values) value = __int_as_float(0x7fffffff);
  }
  quant::store_bf16(values, static_cast<uint4*>(params.output) + index * 2);
}

__device__ float squares(uint32_t word) {
  const float2 pair = unpack_bf16(word);
  return pair.x * pair.x + pair.y * pair.y;
}

__device__ uint32_t scaled(uint32_t word, float scale, float weight_low, float weight_high) {
  const float2 pair = unpack_bf16(word);
  return pack_bf16(pair.x * scale * weight_low, pair.y * scale * weight_high);
}

/// A warp norms one row; the second reading of the row comes from the cache.
__global__ void rms_norm_kernel(const __grid_constant__ RmsNormParams params) {
  let_next_kernel_start();
  wait_for_previous_kernel();
  const int row = blockIdx.x * kWarps + threadIdx.x / kWarpThreads;
  if (row >= params.tokens) return;
  const int lane = threadIdx.x % kWarpThreads;
  const int vectors = params.features / kVector;
  const auto* input = static_cast<const uint4*>(params.input) + int64_t{row} * vectors;
  auto* output = static_cast<uint4*>(params.output) + int64_t{row} * vectors;
  const auto* weight = reinterpret_cast<const float4*>(params.weight);

  float sum = 0.f;
#pragma unroll 4
  for (int i = lane; i < vectors; i += kWarpThreads) {
    const uint4 eight = input[i];
    sum += (squares(eight.x) + squares(eight.y)) + (squares(eight.z) + squares(eight.w));
  }
  const float scale = rsqrtf(warp_sum(sum) / params.features + params.epsilon);
#pragma unroll 4
  for (int i = lane; i < vectors; i += kWarpThreads) {
    const uint4 eight = input[i];
    const float4 low = weight[2 * i];
    const float4 high = weight[2 * i + 1];
    output[i] = {scaled(eight.x, scale, low.x, low.y), scaled(eight.y, scale, low.z, low.w),
                 scaled(eight.z, scale, high.x, high.y), scaled(eight.w, scale, high.z, high.w)};
  }
}

__device__ uint32_t swiglu_pair(uint32_t gates, uint32_t ups) {
  const float2 gate = unpack_bf16(gates);
  const float2 up = unpack_bf16(ups);
  return pack_bf16(silu(gate.x) * up.x, silu(gate.y) * up.y);
}

/// A thread makes 8 elements.
__global__ void swiglu_kernel(const __grid_constant__ SwigluParams params) {
  let_next_kernel_start();
  wait_for_previous_kernel();
  const int vectors = params.features / kVector;
  const int64_t index = int64_t{blockIdx.x} * kThreads + threadIdx.x;
  const int64_t row = index / vectors;
  if (row >= params.tokens) return;
  const auto* gate = static_cast<const uint4*>(params.gate_up) + index + row * vectors;
  const uint4 gates = gate[0];
  const uint4 ups = gate[vectors];
  static_cast<uint4*>(params.output)[index] = {
      swiglu_pair(gates.x, ups.x), swiglu_pair(gates.y, ups.y), swiglu_pair(gates.z, ups.z),
      swiglu_pair(gates.w, ups.w)};
}

void check_shape(const Checks& checks, int tokens, int features) {
  checks.require(tokens >= 0, std::to_string(tokens) + " tokens");
  checks.require(features > 0 && features % kVector == 0,
                 std::to_string(features) + " features are not a multiple of 8");
}

}  // namespace

void embed(const EmbeddingParams& params, cudaStream_t stream) {
  const Checks checks("embedding");
  validate(params.table, "embedding: table");
  check_shape(checks, params.tokens, params.table.columns);
  if (params.tokens == 0) return;
  checks.require_pointer(params.token_ids, "token_ids", alignof(int32_t));
  checks.require_pointer(params.output, "output");
  const int row_runs = params.table.columns / kRunElements;
  const unsigned blocks = blocks_for(int64_t{params.tokens} * row_runs, kThreads);
  quant::with_format(params.table.format, [&](auto format) {
    launch_programmatic(embedding_kernel<decltype(format)::value>, blocks, kThreads, 0, stream,
                        params, quant::row_bytes(params.table.format, params.table.columns),
                        row_runs);
  });
}

void rms_norm(const RmsNormParams& params, cudaStream_t stream) {
  const Checks checks("RMSNorm");
  check_shape(checks, params.tokens, params.features);
  checks.require(params.epsilon > 0.f, "epsilon is not positive");
  if (params.tokens == 0) return;
  checks.require_pointer(params.input, "input");
  checks.require_pointer(params.weight, "weight");
  checks.require_pointer(params.output, "output");
  launch_programmatic(rms_norm_kernel, blocks_for(params.tokens, kWarps), kThreads, 0, stream,
                      params);
}

void swiglu(const SwigluParams& params, cudaStream_t stream) {
  const Checks checks("SwiGLU");
  check_shape(checks, params.tokens, params.features);
  if (params.tokens == 0) return;
  checks.require_pointer(params.gate_up, "gate_up");
  checks.require_pointer(params.output, "output");
  const int64_t vectors = int64_t{params.tokens} * (params.features / kVector);
  launch_programmatic(swiglu_kernel, blocks_for(vectors, kThreads), kThreads, 0, stream, params);
}

}  // namespace longview::decoder
