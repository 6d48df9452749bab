// What the host passes to the sm_90a kernel of sparse prefill.
#pragma once

#include <cstdint>

#include "attention/block_lists.h"
#include "attention/dense/sm90/kernel_params.h"

namespace longview::attention::sm90 {

struct SparseKernelParams {
  CUtensorMap query;  // [column blocks, q_len, num_heads, 64] bf16; box: a tile's column block
  KvMaps key;         // box: one column block of one listed block
  KvMaps value;
  CUtensorMap beside_key;  // columns or averages: [1, heads or KV heads, column blocks, rows, 64]
  CUtensorMap beside_value;
  uint16_t* output;            // [q_len, num_heads, head_dim] bf16
  const int32_t* block_table;  // null: the blocks of the pool lie in order
  int last_block;              // of the sequence, counted in blocks of the pool

  BlockLists lists;
  const int32_t* visible_columns;  // [num_heads, lists.tiles], or null: no columns
  const uint32_t* dropped;         // [num_heads, lists.tiles, dropped_pitch], or null: no averages
  int dropped_pitch;
  float average_bias;    // what 64 keys in place of one add to a raw score
  const int32_t* order;  // [num_tiles] places of tiles in `lists`, in which they are handed out
  uint32_t* next_tile;   // [1], zero between launches
  int num_tiles;         // num_heads * lists.tiles

  int q_len;
  int num_heads;
  int heads_per_kv_head;
  int kv_offset;     // keys before the first query: kv_len - q_len
  float scale_log2;  // softmax scale * log2(e)
};

}  // namespace longview::attention::sm90
