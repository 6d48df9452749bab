// What the host passes to the sm_90a prefill kernel.
#pragma once

#include <cuda.h>

#include <cstdint>

namespace longview::attention::sm90 {

/// The blocks of K or V: [blocks, num_kv_heads, column blocks, tokens of a block, 64] bf16; box: a
/// K/V tile. The sequence's last block goes through a map of its own, in which blocks end where the
/// sequence does: TMA then fills zeros for the keys behind, wherever the block lies.
struct KvMaps {
  CUtensorMap block;
  CUtensorMap last_block;
};

struct PrefillKernelParams {
  CUtensorMap query;  // [column blocks, q_len, num_heads, 64] bf16; box: a tile's column block
  KvMaps key;
  KvMaps value;
  uint16_t* output;            // [q_len, num_heads, head_dim] bf16
  const int32_t* block_table;  // null: the blocks lie in order
  int last_block;              // of the sequence, counted in its own order

  int q_len;
  int num_heads;
  int kv_offset;     // keys before the first query: kv_len - q_len
  float scale_log2;  // softmax scale * log2(e)

  // Rows of a query tile: `tile_positions` positions of `tile_heads` heads each, heads fastest.
  int tile_heads;
  int tile_positions;

  // The order of query tiles, see tile_schedule.cuh. A head tile is a group of `tile_heads` heads.
  uint32_t* next_tile;         // [1], zero between launches
  int num_tiles;               // position_tiles * head_tiles
  int position_tiles;          // tiles along the positions
  int head_tiles;              // tiles along the heads
  int head_tiles_per_kv_head;  // of which share one KV head
  int section_head_tiles;      // head tiles worked on together
};

}  // namespace longview::attention::sm90
