// CPU oracles of block selection: which blocks each query tile attends to. Plain loops, double
// accumulation; values are rounded where the kernels round them: averages and masses in rows to
// bf16, masses in tiles to units of 2^-26 and, for their order alone, to 6 bits of mantissa.
#pragma once

#include <cstdint>

namespace longview::reference {

struct SelectionShape {
  int q_len;
  int kv_len;
  int num_heads;
  int num_kv_heads;
  int head_dim;
  float softmax_scale;
  int pooled_keys;
  int dense_from;
};

/// Softmax masses of blocks in some rows of the call, up to a constant of each row. Row-major fp32
/// tensors in host memory, keys contiguous.
struct SampledMassParams {
  const float* query;  // [q_len, num_heads, head_dim]
  const float* key;    // [kv_len, num_kv_heads, head_dim]
  const int* rows;     // [row_count], each in [0, q_len)
  int row_count;
  float* masses;  // [num_heads, row_count, blocks of kv_len] out
  SelectionShape shape;
};

void sampled_masses(const SampledMassParams& params);

/// Masses in rows, and lists. Entries of blocks of which a row sees no average are not read.
struct FilterTensors {
  const float* row_masses;  // [num_heads, row_count, pitch]
  int row_count;
  int pitch;                // at least the blocks of kv_len
  const float* head_alpha;  // [num_heads], or null

  uint16_t* blocks;  // [num_heads, tiles, max_blocks] out
  int32_t* counts;   // [num_heads, tiles] out
  int max_blocks;
};

/// Meanings and limits as attention::SelectionSettings; `maximum_score` instead of the mean.
struct TileSettings {
  int sampled_rows;
  int maximum_score;
  float alpha;
  int count_forced_mass;
  int sink_blocks;
  int window_tokens;
  int min_blocks;
  int max_blocks;
  float dense_above;
};

/// The rows are those of every tile, in order.
/// `masses` [num_heads, tiles, max_blocks], or null: the estimated mass of each block; zeros for
/// tiles that keep everything.
void filter_tiles(const FilterTensors& tensors, const SelectionShape& shape,
                  const TileSettings& settings, uint32_t* masses);

/// Strips of `strip_blocks` blocks, columns and, where `slashes`, diagonals.
struct StripSettings {
  int strip_blocks;
  int slashes;
  float alpha_columns;
  float alpha_slashes;
  int sink_blocks;
  int window_tokens;
};

/// `rows` [row_count] come in groups of 64; those of q_len or more do not exist.
/// `masses` [num_heads, 2, max_blocks], or null: the estimated masses of columns and slashes.
void filter_strips(const FilterTensors& tensors, const int* rows, const SelectionShape& shape,
                   const StripSettings& settings, uint32_t* masses);

}  // namespace longview::reference
