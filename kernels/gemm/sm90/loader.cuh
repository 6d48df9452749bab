// Keeps the ring of operand tiles full.
#pragma once

#include "common/sm90/tma.cuh"
#include "gemm/sm90/tile_schedule.cuh"

namespace longview::gemm::sm90 {

using ::longview::sm90::CachePolicy;
using ::longview::sm90::RingPosition;

/// Loads all tiles of this block, by one thread. Weights go to both blocks of the cluster, so a
/// stage is loaded only when the warps of both have read it.
__device__ __forceinline__ void load_tiles(const KernelParams& params, SharedStorage& shared,
                                           uint32_t block) {
  constexpr uint16_t kBothBlocks = (1 << Config::kClusterBlocks) - 1;
  TileSchedule schedule(params);
  RingPosition<Config::kStages> ring;
  Tile tile;
  const int weight_offset = block * Config::kLoadedN;
  while (schedule.next(block, tile)) {
    for (int step = 0; step < params.k_steps; ++step) {
      const int column = step * Config::kTileK;
      Mbarrier* const full = &shared.full[ring.stage];
      shared.empty[ring.stage].wait(ring.parity ^ 1);
      full->arrive_and_expect(Config::kStageBytes);
      ::longview::sm90::tma_load_2d(shared.activations[ring.stage], &params.activations, full,
                                    CachePolicy::kEvictNormal, column, tile.first_row);
      ::longview::sm90::tma_multicast_2d(
          shared.weights[ring.stage] + weight_offset * Config::kTileK, &params.weights, full,
          kBothBlocks, CachePolicy::kEvictNormal, column, tile.first_column + weight_offset);
      ring.advance();
    }
  }
}

}  // namespace longview::gemm::sm90
