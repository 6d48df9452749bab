// Which K/V tiles a query tile visits. The kernel knows a list of tiles by these members alone:
//   count      tiles to visit, at least 1
//   masked     how many of the first tiles need the causal mask
//   start(i)   first key of the i-th tile
// Tiles come latest first, so that those on the diagonal lead. Lists that leave tiles out keep this
// shape: `start` then reads the i-th entry of a per-head list.
#pragma once

#include "attention/dense/sm90/tile_schedule.cuh"

namespace longview::attention::sm90 {

/// All keys up to the diagonal.
template <int kTileN>
struct CausalKvTiles {
  int count;
  int masked;

  __device__ __forceinline__ CausalKvTiles(const PrefillKernelParams& params,
                                           const QueryTile& tile) {
    const int after_tile = min(tile.first_position + params.tile_positions, params.q_len);
    const int visible_to_first = params.kv_offset + tile.first_position + 1;
    const int visible_to_last = params.kv_offset + after_tile;
    count = (visible_to_last + kTileN - 1) / kTileN;
    masked = count - visible_to_first / kTileN;
  }

  __device__ __forceinline__ int start(int i) const { return (count - 1 - i) * kTileN; }
};

}  // namespace longview::attention::sm90
