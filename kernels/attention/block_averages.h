// What stands for the blocks that sparse prefill leaves out.
#pragma once

#include <cstdint>

#include "attention/block_lists.h"

namespace longview::attention {

/// Words of a query tile's bits in BlockAverages::dropped: a multiple of 12, so that K/V tiles of
/// 128 or 192 blocks begin on whole words.
constexpr int dropped_pitch(int kv_len) { return (selection_blocks(kv_len) + 383) / 384 * 12; }

/// Mean keys and values of whole blocks, in device memory, aligned to 16 bytes. A query tile counts
/// each dropped block as 64 keys that all are its mean key, with its mean value: exact where a
/// block's keys are alike, too little weight elsewhere (Jensen's inequality).
struct BlockAverages {
  const void* key;    // [selection_blocks(kv_len), num_kv_heads, head_dim] bf16
  const void* value;  // as key

  /// [num_heads, BlockLists::tiles, dropped_pitch(kv_len)]: bit b % 32 of word b / 32 is set where
  /// block b lies before the tile and is not in its list.
  const uint32_t* dropped;
};

}  // namespace longview::attention
