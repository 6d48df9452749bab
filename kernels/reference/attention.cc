#include "reference/attention.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <vector>

namespace longview::reference {

namespace {

double dot(const float* a, const float* b, int count) {
  double sum = 0.0;
  for (int i = 0; i < count; ++i) sum += static_cast<double>(a[i]) * b[i];
  return sum;
}

/// Where the head of `token` begins in key and value, for KV head 0.
size_t kv_row(const AttentionParams& params, int token) {
  size_t row = token;
  if (params.block_table != nullptr) {
    row =
        static_cast<size_t>(params.block_table[token / params.block_tokens]) * params.block_tokens +
        token % params.block_tokens;
  }
  return row * params.num_kv_heads * params.head_dim;
}

/// One query row against the first `visible` keys of the KV head that key and value begin with.
void attend(const AttentionParams& params, const float* query, const float* key, const float* value,
            int visible, float* output) {
  std::vector<double> weights(visible);
  double maximum = -INFINITY;
  for (int j = 0; j < visible; ++j) {
    weights[j] = params.softmax_scale * dot(query, key + kv_row(params, j), params.head_dim);
    maximum = std::max(maximum, weights[j]);
  }
  double sum = 0.0;
  for (double& weight : weights) {
    weight = std::exp(weight - maximum);
    sum += weight;
  }
  for (int d = 0; d < params.head_dim; ++d) {
    double weighted = 0.0;
    for (int j = 0; j < visible; ++j) weighted += weights[j] * value[kv_row(params, j) + d];
    output[d] = static_cast<float>(weighted / sum);
  }
}

}  // namespace

void dense_causal_attention(const AttentionParams& params) {
  const int heads_per_kv_head = params.num_heads / params.num_kv_heads;
  for (int i = 0; i < params.q_len; ++i) {
    const int visible = params.kv_len - params.q_len + i + 1;
    for (int head = 0; head < params.num_heads; ++head) {
      const size_t row = (static_cast<size_t>(i) * params.num_heads + head) * params.head_dim;
      const size_t kv_head = static_cast<size_t>(head / heads_per_kv_head) * params.head_dim;
      attend(params, params.query + row, params.key + kv_head, params.value + kv_head, visible,
             params.output + row);
    }
  }
}

}  // namespace longview::reference
