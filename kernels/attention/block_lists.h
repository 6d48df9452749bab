// Which keys sparse prefill attention reads: the contract between the selection and the attention.
#pragma once

#include <cstdint>

namespace longview::attention {

/// Query positions of one tile. Tiles lie on multiples of it, counted from the sequence's start.
constexpr int kSelectionTileRows = 128;

/// Keys of one block, likewise. Ten blocks make a block of the KV pool (common/kv_block.h).
constexpr int kSelectionBlockKeys = 64;

/// Query tiles of `q_len` positions that begin at a tile's first.
constexpr int selection_tiles(int q_len) {
  return (q_len + kSelectionTileRows - 1) / kSelectionTileRows;
}

/// Key blocks that hold `kv_len` keys, the last one perhaps in part.
constexpr int selection_blocks(int kv_len) {
  return (kv_len + kSelectionBlockKeys - 1) / kSelectionBlockKeys;
}

/// The longest sequence whose blocks 16 bits can number.
constexpr int kMaxListedKeys = 65536 * kSelectionBlockKeys;

/// A list's place in BlockLists::blocks: a multiple of 8, so that lists are aligned to 16 bytes.
constexpr int selection_pitch(int kv_len) { return (selection_blocks(kv_len) + 7) / 8 * 8; }

/// The blocks that each query tile of each query head attends to, in device memory. Tile t of a
/// call holds the positions kv_len - q_len + 128 t and up. A list has at least one entry; its block
/// numbers ascend without duplicates, none begins behind the tile's last position that exists, and
/// the blocks of the tile's own positions are always in it.
struct BlockLists {
  const uint16_t* blocks;  // [num_heads, tiles, max_blocks], aligned to 16 bytes
  const int32_t* counts;   // [num_heads, tiles]
  int tiles;               // selection_tiles(q_len)
  int max_blocks;          // pitch of a list: a multiple of 8, at least selection_blocks(kv_len)
};

}  // namespace longview::attention
