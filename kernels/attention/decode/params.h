// What flash decode needs to know about one call.
#pragma once

#include <cstddef>
#include <cstdint>

namespace longview::attention {

struct DecodeShape {
  int max_kv_len;  // >= 1: the longest context that a captured graph will serve
  int num_heads;   // a multiple of num_kv_heads, at most 64 times as many
  int num_kv_heads;
  int head_dim;  // 64 or 128
};

/// Attention of one query token over its cached keys: softmax(q K^T * softmax_scale) V, with
/// grouped heads. Tensors are bf16, row-major, in device memory, aligned to 16 bytes, and never
/// null.
///
/// Nothing of the launch depends on the current length, so a CUDA graph captured once serves every
/// step up to max_kv_len.
struct DecodeParams {
  const void* query;           // [num_heads, head_dim]
  const void* key;             // pool [blocks * KV_BLOCK_TOKENS, num_kv_heads, head_dim]
  const void* value;           // as key
  const int32_t* block_table;  // [kv_blocks(max_kv_len)] in device memory, of which those of kv_len
                               // are read; null: token t is row t
  const int32_t* kv_len;       // [1] in device memory: keys, the query's own included; clamped to
                               // 0 .. max_kv_len, and 0 gives zeros
  void* workspace;             // decode_workspace_bytes(shape) bytes; need not be initialised
  void* output;                // [num_heads, head_dim]

  DecodeShape shape;
  float softmax_scale;  // > 0, usually 1 / sqrt(head_dim)
};

}  // namespace longview::attention
