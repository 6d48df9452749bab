#include "reference/attention.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <vector>

namespace longview::reference {

namespace {

double dot(const float* a, const double* b, int count) {
  double sum = 0.0;
  for (int i = 0; i < count; ++i) sum += a[i] * b[i];
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

/// A key and its value, or the averages of several, which count `times`.
struct Entry {
  std::vector<double> key;
  std::vector<double> value;
  int times;
};

/// The mean of tokens `first` to `first + count - 1` of a KV head.
Entry mean_entry(const AttentionParams& params, int kv_head, int first, int count) {
  Entry entry{std::vector<double>(params.head_dim), std::vector<double>(params.head_dim), count};
  for (int token = first; token < first + count; ++token) {
    const size_t row = kv_row(params, token) + static_cast<size_t>(kv_head) * params.head_dim;
    for (int d = 0; d < params.head_dim; ++d) {
      entry.key[d] += static_cast<double>(params.key[row + d]) / count;
      entry.value[d] += static_cast<double>(params.value[row + d]) / count;
    }
  }
  return entry;
}

/// One query row of `head` against `entries` of its KV head.
void attend(const AttentionParams& params, int row, int head, const std::vector<Entry>& entries) {
  const size_t offset = (static_cast<size_t>(row) * params.num_heads + head) * params.head_dim;
  std::vector<double> weights;
  double maximum = -INFINITY;
  for (const Entry& entry : entries) {
    const double score = dot(params.query + offset, entry.key.data(), params.head_dim);
    weights.push_back(params.softmax_scale * score + std::log(entry.times));
    maximum = std::max(maximum, weights.back());
  }
  double sum = 0.0;
  for (double& weight : weights) {
    weight = std::exp(weight - maximum);
    sum += weight;
  }
  for (int d = 0; d < params.head_dim; ++d) {
    double weighted = 0.0;
    for (size_t j = 0; j < entries.size(); ++j) weighted += weights[j] * entries[j].value[d];
    params.output[offset + d] = static_cast<float>(weighted / sum);
  }
}

/// Single keys `first` to `end - 1` of a KV head, behind `entries`.
void add_keys(const AttentionParams& params, int kv_head, int first, int end,
              std::vector<Entry>& entries) {
  for (int token = first; token < end; ++token) {
    entries.push_back(mean_entry(params, kv_head, token, 1));
  }
}

/// What row `row` of `head` attends to.
std::vector<Entry> listed_entries(const AttentionParams& params, const AttentionBlocks& blocks,
                                  int row, int head, int visible) {
  const int kv_head = head / (params.num_heads / params.num_kv_heads);
  const int tile = row / blocks.tile_rows;
  const size_t place = static_cast<size_t>(head) * blocks.tiles + tile;
  const uint16_t* list = blocks.blocks + place * blocks.max_blocks;
  const uint16_t* list_end = list + blocks.counts[place];
  std::vector<Entry> entries;
  for (const uint16_t* block = list; block < list_end; ++block) {
    const int first = *block * blocks.block_keys;
    add_keys(params, kv_head, first, std::min(first + blocks.block_keys, visible), entries);
  }
  const int before = params.kv_len - params.q_len + tile * blocks.tile_rows;
  for (int block = 0; blocks.average_dropped && block < before / blocks.block_keys; ++block) {
    if (std::find(list, list_end, block) != list_end) continue;
    entries.push_back(mean_entry(params, kv_head, block * blocks.block_keys, blocks.block_keys));
  }
  return entries;
}

/// Keys that query row `row` may see.
int visible_keys(const AttentionParams& params, int row) {
  return params.kv_len - params.q_len + row + 1;
}

}  // namespace

void dense_causal_attention(const AttentionParams& params) {
  const int heads_per_kv_head = params.num_heads / params.num_kv_heads;
  for (int kv_head = 0; kv_head < params.num_kv_heads; ++kv_head) {
    std::vector<Entry> entries;
    for (int row = 0; row < params.q_len; ++row) {
      const int seen = static_cast<int>(entries.size());
      add_keys(params, kv_head, seen, visible_keys(params, row), entries);
      for (int head = kv_head * heads_per_kv_head; head < (kv_head + 1) * heads_per_kv_head;
           ++head) {
        attend(params, row, head, entries);
      }
    }
  }
}

void sparse_causal_attention(const AttentionParams& params, const AttentionBlocks& blocks) {
  for (int row = 0; row < params.q_len; ++row) {
    const int visible = visible_keys(params, row);
    for (int head = 0; head < params.num_heads; ++head) {
      attend(params, row, head, listed_entries(params, blocks, row, head, visible));
    }
  }
}

}  // namespace longview::reference
