// CPU oracle of dense causal attention: plain loops, fp32 in and out, double accumulation.
#pragma once

namespace longview::reference {

/// Row-major fp32 tensors in host memory; meanings and limits as attention::DensePrefillParams.
struct AttentionParams {
  const float* query;  // [q_len, num_heads, head_dim]
  const float* key;    // [kv_len or rows of the pool, num_kv_heads, head_dim]
  const float* value;  // as key
  float* output;       // [q_len, num_heads, head_dim]

  int q_len;
  int kv_len;
  int num_heads;
  int num_kv_heads;
  int head_dim;
  float softmax_scale;

  /// Null, or key and value are pools: token t lies in row
  /// `block_table[t / block_tokens] * block_tokens + t % block_tokens`.
  const int* block_table = nullptr;
  int block_tokens = 0;
};

void dense_causal_attention(const AttentionParams& params);

}  // namespace longview::reference
