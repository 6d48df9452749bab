// Which tiles a cluster computes, one after the other.
#pragma once

#include "gemm/sm90/config.h"
#include "gemm/sm90/kernel_params.h"

namespace longview::gemm::sm90 {

struct Tile {
  int first_row;
  int first_column;
};

/// Deals tiles out to clusters round by round. Tiles that are computed at the same time form a
/// compact patch of the product, so that L2 serves what they read in common.
class TileSchedule {
 public:
  __device__ explicit TileSchedule(const KernelParams& params)
      : params_(params), next_(blockIdx.x / Config::kClusterBlocks) {}

  /// False when there are no more tiles. Both blocks of a cluster get tiles below each other.
  __device__ bool next(uint32_t block, Tile& tile) {
    if (next_ >= params_.row_pairs * params_.column_tiles) return false;
    const int group_tiles = kGroupPairs * params_.column_tiles;
    const int first_pair = next_ / group_tiles * kGroupPairs;
    const int pairs = min(kGroupPairs, params_.row_pairs - first_pair);
    const int within = next_ % group_tiles;
    const int row_tile = (first_pair + within % pairs) * Config::kClusterBlocks + block;
    tile.first_row = row_tile * Config::kTileM;
    tile.first_column = within / pairs * Config::kTileN;
    next_ += gridDim.x / Config::kClusterBlocks;
    return true;
  }

 private:
  /// 16 row tiles of 128 beside 8 columns of 256 make the patch of 132 blocks nearly square.
  static constexpr int kGroupPairs = 8;

  const KernelParams& params_;
  int next_;
};

}  // namespace longview::gemm::sm90
