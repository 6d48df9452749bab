// How the blocks of sparse prefill are chosen. docs/sample-attention.md explains the choices.
#pragma once

#include "attention/block_lists.h"

namespace longview::attention {

/// Who decides which blocks a query tile attends to.
enum class SelectionStrategy {
  /// Queries sampled in every query tile, against keys averaged in small groups. A tile's list
  /// depends on its own rows and the keys before them alone.
  kTiles,
  /// Columns and diagonals of 128 x 128 blocks, from the last 64 queries of equal segments of the
  /// chunk (SampleAttention v3). Lists depend on the chunk.
  kStrips,
  /// Columns and a window, from queries at equal distances in the chunk (SampleAttention v1 and v2,
  /// whose columns are single keys; here they are blocks of 64). Lists depend on the chunk.
  kColumns,
};

/// What the sampled rows of a tile make of their shares of a block.
enum class BlockScore { kMean, kMaximum };

struct TileSettings {
  /// Rows sampled in a tile of 128, evenly, the tile's last among them: 8, 16 or 32.
  int sampled_rows = 16;
  BlockScore score = BlockScore::kMean;
};

struct StripSettings {
  int segment_tokens = 1024;  // a multiple of 128
  float alpha_slashes =
      0.8f;  // as SelectionSettings::alpha, of the diagonals; that one is the columns'
};

struct ColumnSettings {
  int row_step = 20;           // one sampled query in so many
  float window_share = 0.08f;  // the window in keys of the sequence so far, where that is more than
                               // window_tokens
};

struct SelectionSettings {
  SelectionStrategy strategy = SelectionStrategy::kTiles;
  /// Consecutive keys that are averaged before they are scored: 4, 8 or 16; 1 scores the
  /// keys themselves.
  int pooled_keys = 8;
  TileSettings tiles;
  StripSettings strips;
  ColumnSettings columns;

  /// Share of the estimated attention mass that a list must reach, by the smallest set that does.
  /// 1 or more keeps every block; 0 or less keeps only what is kept anyway.
  float alpha = 0.8f;
  /// Whether the mass of the blocks that are kept anyway counts towards `alpha`. Where it does, the
  /// window's mass hides what is missing elsewhere; where not, `alpha` is a share of the rest.
  bool count_forced_mass = false;

  // Kept anyway, beside the blocks of the tile's own positions:
  int sink_blocks = 1;      // the first blocks of the sequence
  int window_tokens = 512;  // the keys before the tile, rounded up to blocks

  // For kTiles alone:

  /// Least and most blocks of a list, those that are kept anyway included; a list has as many as
  /// there are when they are fewer than the least. 0: no bound. The most never drops what is kept
  /// anyway.
  int min_blocks = 0;
  int max_blocks = 0;
  /// A list that would keep more than this share of the visible blocks keeps them all. 1 or more:
  /// never.
  float dense_above = 1.f;
};

}  // namespace longview::attention
