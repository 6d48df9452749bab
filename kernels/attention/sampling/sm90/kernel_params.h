// What the host passes to stage 1 on sm_90a.
#pragma once

#include <cuda.h>

#include <cstdint>

#include "attention/sampling/params.h"

namespace longview::attention::sm90 {

struct SamplingKernelParams {
  CUtensorMap
      query;  // [column blocks, sampled rows, num_heads, 64] bf16; box: a group's column block
  CUtensorMap key;  // [pool blocks, num_kv_heads, column blocks, rows of a pool block, 64] bf16;
                    // box: a pool block's column block of one head
  const int32_t* block_table;  // null: the blocks lie in order
  uint16_t* block_masses;      // bf16 [num_heads, rows.groups * 64, pitch]
  int pitch;
  int pool_blocks;  // that hold the sequence

  int heads_per_kv_head;
  int num_kv_heads;
  SampledRows rows;  // of one head
  int row_tiles;     // of one KV head: three (group, head) pairs each, heads fastest
  int work;          // tiles of keys, over all row tiles and KV heads
  int kv_offset;     // keys before the first query
  int q_len;
  float scale_log2;  // softmax scale * log2(e)
};

}  // namespace longview::attention::sm90
