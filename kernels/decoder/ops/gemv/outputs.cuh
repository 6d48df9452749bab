// The kinds of products: which rows belong together, and what becomes of their sums. Each type has
// `kRows`, the rows of an item; row(item, r), where one begins; prefetch(item), which requests what
// is constant of that which prepare(item) loads for finish(item, sums, prepared); one lane calls
// these.
#pragma once

#include <cuda_bf16.h>

#include <cstdint>

#include "decoder/ops/gemv/params.h"
#include "decoder/ops/gemv/prefetch.cuh"
#include "decoder/ops/rope/rotation.cuh"
#include "decoder/ops/warp.cuh"

namespace longview::decoder {

/// y = W x + bias + residual; an item is a row.
struct PlainOutput {
  static constexpr int kRows = 1;
  struct Prepared {
    float addend;
  };

  const uint8_t* weight;
  int64_t row_bytes;
  const float* bias;
  const __nv_bfloat16* residual;
  void* output;
  GemvOutput output_type;

  __device__ const uint8_t* row(int item, int) const { return weight + item * row_bytes; }

  __device__ void prefetch(int item) const {
    if (bias != nullptr) prefetch_to_l2(bias + item);
  }

  __device__ Prepared prepare(int item) const {
    const float from_bias = bias == nullptr ? 0.f : bias[item];
    return {from_bias + (residual == nullptr ? 0.f : __bfloat162float(residual[item]))};
  }

  __device__ void finish(int item, const float (&sums)[kRows], const Prepared& prepared) const {
    const float value = sums[0] + prepared.addend;
    if (output_type == GemvOutput::kFp32) {
      static_cast<float*>(output)[item] = value;
    } else {
      static_cast<__nv_bfloat16*>(output)[item] = __float2bfloat16_rn(value);
    }
  }
};

/// silu(gate) * up; an item is a feature.
struct SwigluOutput {
  static constexpr int kRows = 2;
  struct Prepared {};

  const uint8_t* weights[kRows];  // gate, up
  quant::RowMap maps[kRows];
  int64_t row_bytes;
  __nv_bfloat16* output;

  __device__ const uint8_t* row(int item, int r) const {
    return weights[r] + maps[r](item) * row_bytes;
  }

  __device__ void prefetch(int) const {}

  __device__ Prepared prepare(int) const { return {}; }

  __device__ void finish(int item, const float (&sums)[kRows], const Prepared&) const {
    output[item] = __float2bfloat16_rn(silu(sums[0]) * sums[1]);
  }
};

/// A pair of a head of q or k, turned, or two elements of a head of v.
struct QkvOutput {
  static constexpr int kRows = 2;
  struct Prepared {
    float2 bias;
    float cosine;
    float sine;
    int64_t pool_row;
  };

  const uint8_t* weight;
  int64_t row_bytes;
  const float* bias;
  RopeKvParams rope;

  __device__ int pair_of(int item) const { return item % (rope.head_dim / 2); }
  __device__ int head_of(int item) const { return item / (rope.head_dim / 2); }

  /// Where in its head the pair's element r lies.
  __device__ int element_of(int item, int r) const {
    const int pair = pair_of(item);
    return rope.pairs == RopePairs::kHalves ? pair + r * (rope.head_dim / 2) : 2 * pair + r;
  }

  __device__ int row_of(int item, int r) const {
    return head_of(item) * rope.head_dim + element_of(item, r);
  }

  __device__ const uint8_t* row(int item, int r) const {
    return weight + row_of(item, r) * row_bytes;
  }

  __device__ void prefetch(int item) const {
    if (bias == nullptr) return;
    prefetch_to_l2(bias + row_of(item, 0));
    prefetch_to_l2(bias + row_of(item, 1));
  }

  __device__ Prepared prepare(int item) const {
    Prepared prepared{{0.f, 0.f}, 1.f, 0.f, 0};
    if (bias != nullptr) prepared.bias = {bias[row_of(item, 0)], bias[row_of(item, 1)]};
    const int position = *rope.first_position;
    const int head = head_of(item);
    if (head < rope.num_heads + rope.num_kv_heads) {
      const int64_t angle = int64_t{position} * (rope.head_dim / 2) + pair_of(item);
      prepared.cosine = rope.cos[angle];
      prepared.sine = rope.sin[angle];
    }
    if (head >= rope.num_heads) prepared.pool_row = pool_row(rope.block_table, position);
    return prepared;
  }

  __device__ void finish(int item, const float (&sums)[kRows], const Prepared& prepared) const {
    const float2 value = rotated({sums[0] + prepared.bias.x, sums[1] + prepared.bias.y},
                                 prepared.cosine, prepared.sine);
    const int head = head_of(item);
    __nv_bfloat16* to = destination(head, prepared.pool_row);
    to[element_of(item, 0)] = __float2bfloat16_rn(value.x);
    to[element_of(item, 1)] = __float2bfloat16_rn(value.y);
  }

 private:
  __device__ __nv_bfloat16* destination(int head, int64_t pool_row) const {
    const int kv_head = head - rope.num_heads;
    if (kv_head < 0) return static_cast<__nv_bfloat16*>(rope.query) + head * rope.head_dim;
    const bool is_value = kv_head >= rope.num_kv_heads;
    void* pool = is_value ? rope.value_pool : rope.key_pool;
    const int64_t row = pool_row * rope.num_kv_heads + kv_head % rope.num_kv_heads;
    return static_cast<__nv_bfloat16*>(pool) + row * rope.head_dim;
  }
};

}  // namespace longview::decoder
