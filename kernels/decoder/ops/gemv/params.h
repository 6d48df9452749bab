// Matrix times vector, for decode steps of one token. Tensors are in device memory, aligned to
// 16 bytes, row-major. Weights are `[out, in]` in any format of quant::BlockFormat; quantised ones
// are dequantised in registers, without rounding to bf16. Sums are fp32 in a fixed order.
#pragma once

#include <cstdint>

#include "decoder/ops/rope/params.h"
#include "quant/row_map.h"
#include "quant/weight_matrix.h"

namespace longview::decoder {

/// The vector that a matrix multiplies: `values`, or its RMSNorm rounded to bf16 where there is a
/// norm.
struct GemvInput {
  const void* values;                  // bf16 [columns]
  const float* norm_weight = nullptr;  // fp32 [columns], or null: no norm
  float norm_epsilon = 0.f;            // > 0 where there is a norm
};

enum class GemvOutput { kBf16, kFp32 };

/// output = weight * input + bias + residual.
struct GemvParams {
  quant::WeightMatrix weight;  // [rows, columns]; columns at most 24,576
  GemvInput input;
  const float* bias;     // fp32 [rows], or null
  const void* residual;  // bf16 [rows], or null; may be `output`
  void* output;          // [rows]
  GemvOutput output_type;
};

/// output[i] = silu(gate row i * input) * (up row i * input).
struct SwigluGemvParams {
  quant::WeightMatrix gate;  // same shape and format as `up`
  quant::WeightMatrix up;    // when both are rows of one matrix: the same matrix in both
  quant::RowMap gate_rows;   // row of `gate` that holds gate i; default: row i
  quant::RowMap up_rows;
  GemvInput input;
  void* output;  // bf16 [features]
  int features;
};

/// The QKV projection of one token with rotation and KV write: rope_kv without its own kernel.
/// Models with norms of q and k need gemv and rope_kv instead, and so do quantised weights, whose
/// q, k and v are matrices of their own.
struct QkvGemvParams {
  /// bf16: the format of the matrix that prefill multiplies by.
  quant::WeightMatrix
      weight;  // [(num_heads + 2 * num_kv_heads) * head_dim, columns]: q, k, v heads
  GemvInput input;
  const float* bias;  // fp32 [rows], or null
  /// As in RopeKvParams with `tokens` = 1 and no norms; its `qkv` is not used.
  RopeKvParams rope;
};

}  // namespace longview::decoder
