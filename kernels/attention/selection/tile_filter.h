// Stage 2 for the strategy of tiles: from masses of sampled rows to lists of blocks.
#pragma once

#include <cuda_runtime_api.h>

#include <cstdint>

#include "attention/selection/settings.h"

namespace longview::attention {

/// The longest sequence: the masses of a tile's blocks lie in shared memory.
constexpr int kMaxSelectionKeys = 1 << 20;

struct TileFilterParams {
  const uint16_t* block_masses;  // bf16 [num_heads, mass_rows, mass_pitch]
  int mass_rows;                 // of a head: 64 * groups
  int mass_pitch;
  int sampled_rows;  // that exist in the call

  uint16_t* blocks;  // as SelectionParams
  int32_t* counts;
  int max_blocks;
  int tiles;
  int num_heads;

  int kv_offset;  // keys before the first query
  int kv_len;
  int dense_from;

  const float* head_alpha;  // or null
  SelectionSettings settings;
};

/// Enqueues a validated call.
/// @throws CudaError
void filter_tiles(const TileFilterParams& params, cudaStream_t stream);

}  // namespace longview::attention
