// Stage 2 for strips and columns: from masses of sampled rows of a chunk to lists of blocks that
// share columns and diagonals.
#pragma once

#include <cuda_runtime_api.h>

#include <cstddef>
#include <cstdint>

#include "attention/sampling/params.h"

namespace longview::attention {

struct StripFilterParams {
  const uint16_t* block_masses;  // bf16 [num_heads, 64 * rows.groups, mass_pitch]
  int mass_pitch;
  SampledRows rows;
  int pooled_keys;

  uint16_t* blocks;  // as SelectionParams
  int32_t* counts;
  int max_blocks;
  int tiles;
  int num_heads;

  int q_len;
  int kv_len;
  int dense_from;

  int strip_blocks;  // blocks of 64 keys that a strip is wide: 1 or 2
  bool slashes;      // whether there are diagonals; strips are 2 blocks wide then
  float alpha_columns;
  float alpha_slashes;
  const float* head_alpha;  // in place of both, or null
  int sink_blocks;
  int window_tokens;

  void* workspace;  // strip_filter_bytes()
};

/// Bytes of workspace of a call over at most `kv_len` keys.
size_t strip_filter_bytes(int num_heads, int groups, int kv_len);

/// Enqueues a validated call.
/// @throws CudaError
void filter_strips(const StripFilterParams& params, cudaStream_t stream);

}  // namespace longview::attention
