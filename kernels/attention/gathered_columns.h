// Single keys, gathered, that sparse prefill attends to beside whole blocks.
#pragma once

#include <cstdint>

namespace longview::attention {

/// Copies of single keys and values (columns of the score matrix) of each query head, in device
/// memory, aligned to 16 bytes. Up to a multiple of kSelectionBlockKeys, rows behind the last
/// column of a head hold zeros.
struct GatheredColumns {
  const void* key;    // [num_heads, capacity, head_dim] bf16, in ascending order of their positions
  const void* value;  // as key

  /// [num_heads, BlockLists::tiles]: how many of a head's columns a query tile sees, from the
  /// first. They lie before the tile and in none of its listed blocks.
  const int32_t* visible;
  int capacity;  // a multiple of kSelectionBlockKeys
};

}  // namespace longview::attention
