// Tensor maps of queries, keys and values for the sm_90a prefill kernels.
#pragma once

#include <cuda.h>

#include <cstdint>

#include "attention/dense/params.h"
#include "attention/dense/sm90/kernel_params.h"
#include "common/kv_block.h"
#include "common/tensor_map.h"

namespace longview::attention::sm90 {

constexpr uint64_t kBf16Bytes = 2;
constexpr int kMapColumns = 64;  // of one column block: 128 bytes, over which TMA swizzles

/// [q_len, num_heads, head_dim] as [column blocks, q_len, num_heads, 64]. A box holds one column
/// block of `positions` rows of `heads` heads.
inline CUtensorMap query_map(const DensePrefillParams& params, int positions, int heads,
                             const TensorMapEncoder& encoder) {
  const uint64_t head_bytes = params.head_dim * kBf16Bytes;
  return encoder.encode(
      {params.query,
       {kMapColumns, static_cast<uint64_t>(params.num_heads), static_cast<uint64_t>(params.q_len),
        static_cast<uint64_t>(params.head_dim / kMapColumns)},
       {head_bytes, head_bytes * params.num_heads, kMapColumns * kBf16Bytes},
       {kMapColumns, static_cast<uint32_t>(heads), static_cast<uint32_t>(positions), 1}});
}

/// What one copy of keys or values moves.
struct KvBox {
  uint32_t tokens;
  uint32_t column_blocks;
};

/// Rows of [num_kv_heads, head_dim] as [blocks, num_kv_heads, column blocks, tokens, 64], in which
/// the first `block_tokens` of each block exist.
inline CUtensorMap kv_map(const void* data, const DensePrefillParams& params, int blocks,
                          uint64_t block_tokens, const KvBox& box,
                          const TensorMapEncoder& encoder) {
  const uint64_t head_bytes = params.head_dim * kBf16Bytes;
  const uint64_t row_bytes = head_bytes * params.num_kv_heads;
  return encoder.encode(
      {data,
       {kMapColumns, block_tokens, static_cast<uint64_t>(params.head_dim / kMapColumns),
        static_cast<uint64_t>(params.num_kv_heads), static_cast<uint64_t>(blocks)},
       {row_bytes, kMapColumns * kBf16Bytes, head_bytes, row_bytes * KV_BLOCK_TOKENS},
       {kMapColumns, box.tokens, box.column_blocks, 1, 1}});
}

inline KvMaps kv_maps(const void* data, const DensePrefillParams& params, const KvBox& box,
                      const TensorMapEncoder& encoder) {
  const int used_blocks = kv_blocks(params.kv_len);
  const int blocks = params.block_table == nullptr ? used_blocks : params.pool_blocks;
  const int last_tokens = params.kv_len - (used_blocks - 1) * KV_BLOCK_TOKENS;
  return {kv_map(data, params, blocks, KV_BLOCK_TOKENS, box, encoder),
          kv_map(data, params, blocks, last_tokens, box, encoder)};
}

}  // namespace longview::attention::sm90
