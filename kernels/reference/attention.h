// CPU oracles of causal attention, dense and block-sparse: plain loops, fp32 in and out, double
// accumulation.
#pragma once

#include <cstdint>

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

/// The key blocks that each query tile of each head attends to, in host memory; meanings as
/// attention::BlockLists. Blocks and tiles count from the sequence's start, so the queries must
/// begin at a multiple of `tile_rows`.
struct AttentionBlocks {
  const uint16_t* blocks;  // [num_heads, tiles, max_blocks]
  const int32_t* counts;   // [num_heads, tiles]
  int tiles;
  int max_blocks;
  int tile_rows;
  int block_keys;

  /// Whether a block that lies before a tile and is not in its list counts as `block_keys` keys
  /// that all are the block's mean key, with its mean value. Without, it does not count.
  int average_dropped = 0;
};

/// Causal attention to the keys of listed blocks; a row that sees none becomes NaN.
void sparse_causal_attention(const AttentionParams& params, const AttentionBlocks& blocks);

}  // namespace longview::reference
