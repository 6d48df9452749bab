// Which tiles a cluster computes, one after the other.
#pragma once

#include "common/sm90/cluster.cuh"
#include "gemm/sm90/config.h"
#include "gemm/sm90/kernel_params.h"

namespace longview::gemm::sm90 {

struct Tile {
  int first_row;
  int first_column;
};

/// Where the calling block lies in its cluster.
template <class Config>
struct ClusterPlace {
  const int row = ::longview::sm90::cluster_block_index() / Config::kClusterN;
  const int column = ::longview::sm90::cluster_block_index() % Config::kClusterN;
};

/// Deals tiles out to clusters round by round. Tiles that are computed at the same time form a
/// compact patch of the product, so that L2 serves what they read in common.
template <class Config>
class TileSchedule {
 public:
  __device__ explicit TileSchedule(const KernelParams& params)
      : params_(params), next_(blockIdx.x / Config::kClusterBlocks) {}

  /// False when there are no more tiles.
  __device__ bool next(Tile& tile) {
    if (next_ >= params_.row_tiles * params_.column_tiles) return false;
    const int group_tiles = Config::kGroupTiles * params_.column_tiles;
    const int first = next_ / group_tiles * Config::kGroupTiles;
    const int rows = min(Config::kGroupTiles, params_.row_tiles - first);
    const int within = next_ % group_tiles;
    const int row_tile = (first + within % rows) * Config::kClusterM + place_.row;
    const int column_tile = within / rows * Config::kClusterN + place_.column;
    tile.first_row = row_tile * Config::kTileM;
    tile.first_column = column_tile * Config::kTileN;
    skip();
    return true;
  }

  __device__ void skip() { next_ += gridDim.x / Config::kClusterBlocks; }

 private:
  const KernelParams& params_;
  const ClusterPlace<Config> place_;
  int next_;
};

/// The tiles of one computing warpgroup of the block, from its first row on.
template <class Config>
class ConsumerSchedule {
 public:
  __device__ ConsumerSchedule(const KernelParams& params, int consumer)
      : tiles_(params), first_row_(Config::kIsPingPong ? 0 : consumer * Config::kWarpgroupRows) {
    if (Config::kIsPingPong && consumer == 1) tiles_.skip();
  }

  __device__ bool next(Tile& tile) {
    if (!tiles_.next(tile)) return false;
    tile.first_row += first_row_;
    if (Config::kIsPingPong) tiles_.skip();
    return true;
  }

 private:
  TileSchedule<Config> tiles_;
  const int first_row_;
};

}  // namespace longview::gemm::sm90
