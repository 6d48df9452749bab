// Which query tile a block works on, and in which order.
#pragma once

#include "attention/dense/sm90/kernel_params.h"

namespace longview::attention::sm90 {

/// A query tile: rows are (position, head) pairs that share one KV head.
struct QueryTile {
  int first_position;
  int first_head;
  int kv_head;
};

/// Tile `index` of the order in which tiles are handed out. Heads come in sections whose K and V
/// fit into L2 together. In a section the last positions come first: they have the most keys, and
/// the light tiles then fill the gaps at the end. Heads of one position lie side by side, so that
/// blocks that run at the same time read the same K and V.
__device__ __forceinline__ QueryTile query_tile(const PrefillKernelParams& params, int index) {
  const int section = index / (params.section_head_tiles * params.position_tiles);
  const int first_head_tile = section * params.section_head_tiles;
  const int in_section = index - first_head_tile * params.position_tiles;
  const int head_tiles = min(params.section_head_tiles, params.head_tiles - first_head_tile);
  const int position_tile = params.position_tiles - 1 - in_section / head_tiles;
  const int head_tile = first_head_tile + in_section % head_tiles;
  QueryTile tile;
  tile.first_position = position_tile * params.tile_positions;
  tile.first_head = head_tile * params.tile_heads;
  tile.kv_head = head_tile / params.head_tiles_per_kv_head;
  return tile;
}

/// Hands out tiles: block b begins with tile b, and whoever is done first takes the next. The order
/// decides only who computes a tile, never its result.
class TileSchedule {
 public:
  __device__ __forceinline__ explicit TileSchedule(const PrefillKernelParams& params)
      : params_(params), current_(blockIdx.x) {}

  __device__ __forceinline__ int current() const { return current_; }
  __device__ __forceinline__ bool done() const { return current_ >= params_.num_tiles; }

  /// There are at most as many blocks as tiles, so all blocks together get here exactly `num_tiles`
  /// times; the counter then has wrapped to zero, ready for the next launch.
  __device__ __forceinline__ void advance() {
    current_ = static_cast<int>(gridDim.x + atomicInc(params_.next_tile, params_.num_tiles - 1));
  }

 private:
  const PrefillKernelParams& params_;
  int current_;
};

}  // namespace longview::attention::sm90
