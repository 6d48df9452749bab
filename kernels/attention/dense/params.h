// What dense prefill attention needs to know about one call.
#pragma once

#include <cstdint>

namespace longview::attention {

/// softmax(Q K^T * softmax_scale) V, causal, with grouped heads. The queries are the last `q_len`
/// of `kv_len` positions, so a prefill chunk runs over all keys cached before it; its own keys are
/// in the cache already. All tensors are bf16, row-major, in device memory, aligned to 16 bytes,
/// and never null.
///
/// With a block table, key and value are the pools of one layer, and token t lies where
/// common/kv_block.h says. Pool rows that hold no token of the sequence are never read.
struct DensePrefillParams {
  const void* query;  // [q_len, num_heads, head_dim]
  const void* key;    // [kv_len, num_kv_heads, head_dim], or the pool:
  const void* value;  // [pool_blocks * KV_BLOCK_TOKENS, num_kv_heads, head_dim]
  void* output;       // [q_len, num_heads, head_dim]

  int q_len;  // 0 <= q_len <= kv_len; 0 does nothing
  int kv_len;
  int num_heads;  // a multiple of num_kv_heads, at most 64 times as many
  int num_kv_heads;
  int head_dim;         // 64 or 128
  float softmax_scale;  // > 0, usually 1 / sqrt(head_dim)

  /// [kv_blocks(kv_len)] in device memory, or null: key and value are contiguous. Entries lie in
  /// [0, pool_blocks); blocks outside read as zeros or fault.
  const int32_t* block_table = nullptr;
  int pool_blocks = 0;  // at least kv_blocks(kv_len) with a block table (blocks are not shared
                        // within a sequence); not used without
};

}  // namespace longview::attention
