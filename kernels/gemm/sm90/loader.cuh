// Keeps the ring of operand tiles full.
#pragma once

#include "common/sm90/tma.cuh"
#include "gemm/sm90/tile_schedule.cuh"

namespace longview::gemm::sm90 {

using ::longview::sm90::CachePolicy;

/// One box of `rows` rows from row `first_row` of a stage on, to the blocks of the cluster in `blocks`.
template <bool kShared>
__device__ __forceinline__ void load_part(uint16_t* stage, const CUtensorMap& map, Mbarrier* full,
                                          uint16_t blocks, int column, int row) {
  if constexpr (kShared) {
    ::longview::sm90::tma_multicast_2d(stage, &map, full, blocks, CachePolicy::kEvictNormal, column,
                                       row);
  } else {
    ::longview::sm90::tma_load_2d(stage, &map, full, CachePolicy::kEvictNormal, column, row);
  }
}

/// Loads all tiles of this block, by one thread. A part that other blocks share goes to all of them,
/// so a stage is loaded only when the warps of all have read it.
template <class Config>
__device__ __forceinline__ void load_tiles(const KernelParams& params,
                                           SharedStorage<Config>& shared) {
  constexpr int kRowBlocks = (1 << Config::kClusterN) - 1;
  constexpr int kColumnBlocks = Config::kClusterM == 1 ? 1 : 1 | 1 << Config::kClusterN;
  static_assert(Config::kClusterM <= 2);
  const ClusterPlace<Config> place;
  const auto beside = static_cast<uint16_t>(kRowBlocks << (place.row * Config::kClusterN));
  const auto below = static_cast<uint16_t>(kColumnBlocks << place.column);
  const int row_offset = place.column * Config::kLoadedM;
  const int column_offset = place.row * Config::kLoadedN;
  TileSchedule<Config> schedule(params);
  RingPosition<Config::kStages> ring;
  Tile tile;
  while (schedule.next(tile)) {
    for (int step = 0; step < params.k_steps; ++step) {
      const int column = step * Config::kTileK;
      Mbarrier* const full = &shared.full[ring.stage];
      shared.empty[ring.stage].wait_asleep(ring.parity ^ 1);
      full->arrive_and_expect(Config::kStageBytes);
      load_part<(Config::kClusterN > 1)>(
          shared.activations[ring.stage] + row_offset * Config::kTileK, params.activations, full,
          beside, column, tile.first_row + row_offset);
      load_part<(Config::kClusterM > 1)>(
          shared.weights[ring.stage] + column_offset * Config::kTileK, params.weights, full, below,
          column, tile.first_column + column_offset);
      ring.advance();
    }
  }
}

}  // namespace longview::gemm::sm90
