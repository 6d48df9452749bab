// The loading warp: keeps the rings of K and V tiles full.
#pragma once

#include "attention/dense/sm90/config.h"
#include "attention/dense/sm90/kv_tiles.cuh"
#include "common/kv_block.h"
#include "common/sm90/tma.cuh"

namespace longview::attention::sm90 {

using ::longview::sm90::CachePolicy;
using ::longview::sm90::RingPosition;

/// Run by one thread of the block. Loads in the order in which the consumers need the tiles: the
/// scores of a tile come before the values of the tile before it.
template <class Config>
class Loader {
 public:
  static constexpr int kThreads = 1;
  using Shared = SharedStorage<Config, DenseTicket>;

  __device__ __forceinline__ Loader(const PrefillKernelParams& params, Shared& shared)
      : params_(params), shared_(shared) {}

  __device__ __forceinline__ void run() {
    uint32_t query_parity = 0;
    for (TileSchedule schedule(params_); !schedule.done(); schedule.advance()) {
      shared_.query_empty.wait(query_parity ^ 1);
      load_tile(schedule.current());
      query_parity ^= 1;
    }
    shared_.query_empty.wait(query_parity ^ 1);
    shared_.ticket.tile = kNoTile;
    shared_.query_full.arrive();
  }

 private:
  using Ring = RingPosition<Config::kStages>;
  static_assert(KV_BLOCK_TOKENS % Config::kTileN == 0, "a tile would cross blocks");

  __device__ __forceinline__ void load_tile(int index) {
    const QueryTile tile = query_tile(params_, index);
    const CausalKvTiles<Config::kTileN> tiles(params_, tile);
    load_query(tile, index);
    load_keys(tile, tiles.start(0));
#pragma unroll 1
    for (int i = 1; i < tiles.count; ++i) {
      load_keys(tile, tiles.start(i));
      load_values(tile, tiles.start(i - 1));
    }
    load_values(tile, tiles.start(tiles.count - 1));
  }

  /// The tile's index travels with its query: the consumers read both after `query_full`.
  __device__ __forceinline__ void load_query(const QueryTile& tile, int index) {
    shared_.ticket.tile = index;
    shared_.query_full.arrive_and_expect(params_.tile_heads * params_.tile_positions *
                                         Config::kHeadDim * 2);
    for (int block = 0; block < Config::kColumnBlocks; ++block) {
      tma_load_4d(shared_.query + block * Config::kQueryColumnBlockBytes, &params_.query,
                  &shared_.query_full, CachePolicy::kEvictFirst, 0, tile.first_head,
                  tile.first_position, block);
    }
  }

  __device__ __forceinline__ void load_keys(const QueryTile& tile, int start) {
    const int stage = key_ring_.stage;
    const int block = physical_block(start);
    shared_.key_empty[stage].wait(key_ring_.parity ^ 1);
    load(params_.key, shared_.key[stage], shared_.key_full[stage], tile, start, block);
    key_ring_.advance();
  }

  __device__ __forceinline__ void load_values(const QueryTile& tile, int start) {
    const int stage = value_ring_.stage;
    const int block = physical_block(start);
    shared_.value_empty[stage].wait(value_ring_.parity ^ 1);
    load(params_.value, shared_.value[stage], shared_.value_full[stage], tile, start, block);
    value_ring_.advance();
  }

  /// Where the tile that begins at key `start` lies. Looked up before the wait for its stage, so
  /// that the stage does not wait for the table.
  __device__ __forceinline__ int physical_block(int start) const {
    const int block = start / KV_BLOCK_TOKENS;
    return params_.block_table == nullptr ? block : __ldg(params_.block_table + block);
  }

  __device__ __forceinline__ void load(const KvMaps& maps, uint8_t* stage, Mbarrier& full,
                                       const QueryTile& tile, int start, int block) const {
    const bool is_last = start / KV_BLOCK_TOKENS == params_.last_block;
    full.arrive_and_expect(Config::kKvTileBytes);
    tma_load_5d(stage, is_last ? &maps.last_block : &maps.block, &full, CachePolicy::kEvictLast, 0,
                start % KV_BLOCK_TOKENS, 0, tile.kv_head, block);
  }

  const PrefillKernelParams& params_;
  Shared& shared_;
  Ring key_ring_;
  Ring value_ring_;
};

}  // namespace longview::attention::sm90
