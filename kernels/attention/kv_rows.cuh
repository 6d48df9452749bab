// Where the keys or values of one KV head lie, contiguous or in the blocks of a pool.
#pragma once

#include <cuda_runtime_api.h>

#include <cstdint>

#include "common/kv_block.h"

namespace longview::attention {

/// Rows of one KV head; `first` is that of pool row 0. Works on runs of tokens that do not cross a
/// block, so that one look into the table serves many rows.
struct KvRows {
  const uint16_t* first;
  int stride;                  // elements from row to row: num_kv_heads * head_dim
  const int32_t* block_table;  // null: token t is row t

  /// The row of `token`; those of the tokens behind it in its block follow.
  __device__ __forceinline__ const uint16_t* run(int token) const {
    return first + row(token) * stride;
  }

 private:
  __device__ __forceinline__ int64_t row(int token) const {
    if (block_table == nullptr) return token;
    const int block = token / KV_BLOCK_TOKENS;
    return int64_t{block_table[block]} * KV_BLOCK_TOKENS + token % KV_BLOCK_TOKENS;
  }
};

}  // namespace longview::attention
