// What dense prefill attention needs to know about one call.
#pragma once

namespace longview::attention {

/// softmax(Q K^T * softmax_scale) V, causal, with grouped heads. The queries are the last `q_len`
/// of `kv_len` positions, so a prefill chunk runs over all keys cached before it. All tensors are
/// bf16, row-major, in device memory, aligned to 16 bytes, and never null.
struct DensePrefillParams {
  const void* query;  // [q_len, num_heads, head_dim]
  const void* key;    // [kv_len, num_kv_heads, head_dim]
  const void* value;  // [kv_len, num_kv_heads, head_dim]
  void* output;       // [q_len, num_heads, head_dim]

  int q_len;  // 0 <= q_len <= kv_len; 0 does nothing
  int kv_len;
  int num_heads;  // a multiple of num_kv_heads, at most 64 times as many
  int num_kv_heads;
  int head_dim;         // 64 or 128
  float softmax_scale;  // > 0, usually 1 / sqrt(head_dim)
};

}  // namespace longview::attention
