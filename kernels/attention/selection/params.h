// What the selection of blocks needs to know about one call.
#pragma once

#include <climits>
#include <cstdint>

#include "attention/block_lists.h"

namespace longview::attention {

/// The heads of one model, which every call shares.
struct SelectionHeads {
  int num_heads;  // a multiple of num_kv_heads, at most 64 times as many
  int num_kv_heads;
  int head_dim;  // 64 or 128
};

/// Chooses the blocks of one layer of one prefill chunk. The queries are the last `q_len` of
/// `kv_len` positions, and the first of them lies on a multiple of 128. All tensors are in device
/// memory and aligned to 16 bytes. Queries and keys are rotated: what attention itself reads.
struct SelectionParams {
  const void* query;  // bf16 [q_len, num_heads, head_dim]
  const void* key;    // bf16 [kv_len, num_kv_heads, head_dim], or the pool of one layer:
                      // [pool_blocks * KV_BLOCK_TOKENS, num_kv_heads, head_dim]
  /// Averages of the keys, beside the pool and under the same block table: bf16
  /// [pool_blocks * KV_BLOCK_TOKENS / pooled_keys, num_kv_heads, head_dim]. A call fills in those
  /// of the tokens from `pool_from` on and reads all; a block's rows lie in an order of their own.
  /// Not used where pooled_keys is 1.
  void* pooled_key;

  int q_len;  // 0 <= q_len <= kv_len; 0 does nothing
  int kv_len;
  SelectionHeads heads;
  float softmax_scale;  // > 0

  /// [kv_blocks(kv_len)] in device memory, or null: tokens lie in order.
  const int32_t* block_table = nullptr;
  int pool_blocks = 0;  // with a block table, at least kv_blocks(kv_len); not used without

  /// The first token whose average is not in `pooled_key` yet, at most kv_len - q_len. Usually just
  /// that; less where the tokens before were not prefilled with a selection (decoded ones).
  int pool_from = 0;

  /// Tiles that reach this position or a later one keep every block: the prompt's last rows.
  int dense_from = INT_MAX;

  /// fp32 [num_heads] in device memory, in place of the settings' alpha, or null.
  const float* head_alpha = nullptr;

  void* workspace;  // as many bytes as BlockSelector::workspace_bytes says

  // The result, in the layout of BlockLists.
  uint16_t* blocks;  // [num_heads, selection_tiles(q_len), max_blocks], aligned to 16 bytes
  int32_t* counts;   // [num_heads, selection_tiles(q_len)]
  int max_blocks;    // a multiple of 8, at least selection_blocks(kv_len)
};

}  // namespace longview::attention
