// Writes a warp's 16 rows of output from wgmma accumulators to global memory.
#pragma once

#include "attention/dense/sm90/tile_schedule.cuh"
#include "attention/quad.cuh"

namespace longview::attention::sm90 {

/// Stores this thread's two rows, `first_row` of the query tile and the one 8 below.
template <int kHeadDim>
__device__ __forceinline__ void store_rows(const PrefillKernelParams& params, const QueryTile& tile,
                                           int first_row, const float (&output)[kHeadDim / 2]) {
#pragma unroll
  for (int row = 0; row < 2; ++row) {
    const int tile_row = first_row + 8 * row;
    const int tile_position = tile_row / params.tile_heads;
    const int position = tile.first_position + tile_position;
    const int head = tile.first_head + tile_row - tile_position * params.tile_heads;
    const bool inside = tile_position < params.tile_positions && position < params.q_len;
    const int64_t offset = (static_cast<int64_t>(position) * params.num_heads + head) * kHeadDim;
    store_row<kHeadDim>(output, row, inside ? params.output + offset : nullptr);
  }
}

}  // namespace longview::attention::sm90
