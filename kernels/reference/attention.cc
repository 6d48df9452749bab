#include "reference/attention.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <numeric>
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

/// One query row of `head` against the keys of `tokens`.
void attend(const AttentionParams& params, int row, int head, const std::vector<int>& tokens) {
  const size_t offset = (static_cast<size_t>(row) * params.num_heads + head) * params.head_dim;
  const int kv_head = head / (params.num_heads / params.num_kv_heads);
  const float* key = params.key + static_cast<size_t>(kv_head) * params.head_dim;
  const float* value = params.value + static_cast<size_t>(kv_head) * params.head_dim;

  std::vector<double> weights;
  double maximum = -INFINITY;
  for (const int token : tokens) {
    weights.push_back(params.softmax_scale *
                      dot(params.query + offset, key + kv_row(params, token), params.head_dim));
    maximum = std::max(maximum, weights.back());
  }
  double sum = 0.0;
  for (double& weight : weights) {
    weight = std::exp(weight - maximum);
    sum += weight;
  }
  for (int d = 0; d < params.head_dim; ++d) {
    double weighted = 0.0;
    for (size_t j = 0; j < tokens.size(); ++j) {
      weighted += weights[j] * value[kv_row(params, tokens[j]) + d];
    }
    params.output[offset + d] = static_cast<float>(weighted / sum);
  }
}

/// Keys that query row `row` may see.
int visible_keys(const AttentionParams& params, int row) {
  return params.kv_len - params.q_len + row + 1;
}

}  // namespace

void dense_causal_attention(const AttentionParams& params) {
  for (int row = 0; row < params.q_len; ++row) {
    std::vector<int> tokens(visible_keys(params, row));
    std::iota(tokens.begin(), tokens.end(), 0);
    for (int head = 0; head < params.num_heads; ++head) attend(params, row, head, tokens);
  }
}

void sparse_causal_attention(const AttentionParams& params, const AttentionBlocks& blocks) {
  for (int row = 0; row < params.q_len; ++row) {
    const int visible = visible_keys(params, row);
    for (int head = 0; head < params.num_heads; ++head) {
      const size_t place = static_cast<size_t>(head) * blocks.tiles + row / blocks.tile_rows;
      const uint16_t* list = blocks.blocks + place * blocks.max_blocks;
      std::vector<int> tokens;
      for (int i = 0; i < blocks.counts[place]; ++i) {
        const int first = list[i] * blocks.block_keys;
        const int end = std::min(first + blocks.block_keys, visible);
        for (int token = first; token < end; ++token) tokens.push_back(token);
      }
      attend(params, row, head, tokens);
    }
  }
}

}  // namespace longview::reference
