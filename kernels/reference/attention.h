// CPU oracle of dense causal attention: plain loops, fp32 in and out, double accumulation.
#pragma once

namespace longview::reference {

/// Row-major fp32 tensors in host memory; meanings and limits as attention::DensePrefillParams.
struct AttentionParams {
  const float* query;  // [q_len, num_heads, head_dim]
  const float* key;    // [kv_len, num_kv_heads, head_dim]
  const float* value;  // [kv_len, num_kv_heads, head_dim]
  float* output;       // [q_len, num_heads, head_dim]

  int q_len;
  int kv_len;
  int num_heads;
  int num_kv_heads;
  int head_dim;
  float softmax_scale;
};

void dense_causal_attention(const AttentionParams& params);

}  // namespace longview::reference
