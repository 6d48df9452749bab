// The loading warp of sparse prefill: keeps the rings of K and V tiles full of listed blocks.
#pragma once

#include "attention/sparse/sm90/listed_tiles.cuh"
#include "common/kv_block.h"
#include "common/sm90/tma.cuh"

namespace longview::attention::sm90 {

using ::longview::sm90::CachePolicy;
using ::longview::sm90::kWarpSize;
using ::longview::sm90::lane_index;
using ::longview::sm90::RingPosition;

/// Run by one warp. Its lanes hold the places of the next blocks of the list, one each, and those
/// after them are on their way from memory, so that no copy waits for the list. A few lanes issue
/// the copies of a K/V tile, one each: a column block of a listed block.
template <class Config>
class SparseLoader {
 public:
  static constexpr int kThreads = kWarpSize;
  using Work = SparseWork<Config>;
  using Shared = SharedStorage<Config, typename Work::Ticket>;

  __device__ __forceinline__ SparseLoader(const SparseKernelParams& params, Shared& shared)
      : params_(params), shared_(shared) {}

  __device__ __forceinline__ void run() {
    uint32_t query_parity = 0;
    int slot = blockIdx.x;
    while (slot < params_.num_tiles) {
      const int next = take_slot();
      load_tile(__ldg(params_.order + slot), query_parity);
      query_parity ^= 1;
      slot = __shfl_sync(kAllLanes, next, 0);
    }
    shared_.query_empty.wait(query_parity ^ 1);
    if (lane_index() == 0) {
      shared_.ticket.tile = kNoTile;
      shared_.query_full.arrive();
    }
  }

 private:
  using Ring = RingPosition<Config::kStages>;
  static constexpr uint32_t kAllLanes = 0xffffffff;
  static constexpr int kTileBlocks = Work::kTileBlocks;
  static constexpr int kCopies = kTileBlocks * Config::kColumnBlocks;  // of a K or V tile
  static constexpr int kTilesAtOnce = kWarpSize / kTileBlocks;  // whose blocks the lanes hold
  static constexpr int kBlocksAtOnce = kTilesAtOnce * kTileBlocks;
  static constexpr int kNoBlock = -1;
  static_assert(KV_BLOCK_TOKENS % kSelectionBlockKeys == 0, "a block would cross blocks");

  /// A block's place in the pool, in one word.
  struct Place {
    static constexpr uint32_t kLastFlag = 1024;
    static constexpr uint32_t kPerBlock = 2048;
    static_assert(KV_BLOCK_TOKENS < kLastFlag);
    uint32_t word;

    __device__ __forceinline__ int row() const { return static_cast<int>(word % kLastFlag); }
    __device__ __forceinline__ bool in_last() const { return word & kLastFlag; }
    __device__ __forceinline__ int pool_block() const { return static_cast<int>(word / kPerBlock); }
  };

  /// Takes the next slot of the order, for lane 0. There are at most as many blocks as tiles, so
  /// all blocks together get here exactly `num_tiles` times; the counter then has wrapped to zero,
  /// ready for the next launch.
  __device__ __forceinline__ int take_slot() const {
    if (lane_index() != 0) return 0;
    return static_cast<int>(gridDim.x + atomicInc(params_.next_tile, params_.num_tiles - 1));
  }

  __device__ __forceinline__ void load_tile(int tile, uint32_t query_parity) {
    const uint16_t* list =
        params_.lists.blocks + static_cast<int64_t>(tile) * params_.lists.max_blocks;
    const int blocks = __ldg(params_.lists.counts + tile);
    const int head = tile / params_.lists.tiles;
    const int kv_head = head / params_.heads_per_kv_head;
    int ahead = listed_block(list, blocks, 0);
    const int first_blocks = ahead;
    Place places{};
    Place values{};
    int at_once = kTilesAtOnce;  // tiles done of those whose places the lanes hold
#pragma unroll 1
    for (int i = 0; i < blocks; i += kTileBlocks) {
      if (at_once == kTilesAtOnce) {
        places = place(ahead);
        ahead = listed_block(list, blocks, i + kBlocksAtOnce);
        at_once = 0;
      }
      const int holder = at_once++ * kTileBlocks + copied_block();
      const Place keys{__shfl_sync(kAllLanes, places.word, holder)};
      load(params_.key, shared_.key, shared_.key_full, shared_.key_empty, key_ring_, kv_head, keys);
      if (i == 0) {
        load_query(tile, head, blocks, first_blocks, query_parity);
      } else {
        load_values(kv_head, values);
      }
      values = keys;
    }
    load_values(kv_head, values);
  }

  /// The lane's entry, counted from the end of the list; kNoBlock behind its begin.
  __device__ __forceinline__ static int listed_block(const uint16_t* list, int blocks, int from) {
    const int entry = blocks - 1 - from - lane_index();
    return entry < 0 ? kNoBlock : __ldg(list + entry);
  }

  /// A block that is not there lies behind the rows of a pool block: TMA fills zeros.
  __device__ __forceinline__ Place place(int block) const {
    if (block == kNoBlock) return {KV_BLOCK_TOKENS};
    const int key = block * kSelectionBlockKeys;
    const int holder = key / KV_BLOCK_TOKENS;
    const int pool_block =
        params_.block_table == nullptr ? holder : __ldg(params_.block_table + holder);
    const uint32_t last_flag = holder == params_.last_block ? Place::kLastFlag : 0;
    return {static_cast<uint32_t>(pool_block) * Place::kPerBlock + last_flag +
            static_cast<uint32_t>(key % KV_BLOCK_TOKENS)};
  }

  /// Which block of a K/V tile this lane copies a part of, and which part.
  __device__ __forceinline__ static int copied_block() {
    return lane_index() / Config::kColumnBlocks % kTileBlocks;
  }
  __device__ __forceinline__ static int copied_column_block() {
    return lane_index() % Config::kColumnBlocks;
  }

  __device__ __forceinline__ void load_values(int kv_head, const Place& values) {
    load(params_.value, shared_.value, shared_.value_full, shared_.value_empty, value_ring_,
         kv_head, values);
  }

  /// The ticket travels with the query: the consumers read both after `query_full`.
  __device__ __forceinline__ void load_query(int tile, int head, int blocks, int first_blocks,
                                             uint32_t query_parity) {
    shared_.query_empty.wait(query_parity ^ 1);
    if (lane_index() < kTileBlocks) {
      shared_.ticket.first_tile.first[lane_index()] =
          first_blocks == kNoBlock ? kBehindEveryKey : first_blocks * kSelectionBlockKeys;
    }
    __syncwarp();
    if (lane_index() == 0) {
      shared_.ticket.tile = tile;
      shared_.ticket.blocks = blocks;
      shared_.query_full.arrive_and_expect(sizeof(shared_.query));
      const int first_position = (tile - head * params_.lists.tiles) * kSelectionTileRows;
      for (int block = 0; block < Config::kColumnBlocks; ++block) {
        tma_load_4d(shared_.query + block * Config::kQueryColumnBlockBytes, &params_.query,
                    &shared_.query_full, CachePolicy::kEvictFirst, 0, head, first_position, block);
      }
    }
    __syncwarp();
  }

  /// One K or V tile. A barrier may count bytes before they are announced: its phase waits for the
  /// one arrival.
  __device__ __forceinline__ void load(const KvMaps& maps,
                                       uint8_t (&stages)[Config::kStages][Config::kKvTileBytes],
                                       Mbarrier (&full)[Config::kStages],
                                       Mbarrier (&empty)[Config::kStages], Ring& ring, int kv_head,
                                       const Place& place) {
    const int stage = ring.stage;
    empty[stage].wait(ring.parity ^ 1);
    if (lane_index() == 0) full[stage].arrive_and_expect(Config::kKvTileBytes);
    if (lane_index() < kCopies) {
      constexpr int kBlockBytes = kSelectionBlockKeys * Config::kRowBytes;
      uint8_t* target = stages[stage] + copied_column_block() * Config::kKvColumnBlockBytes +
                        copied_block() * kBlockBytes;
      tma_load_5d(target, place.in_last() ? &maps.last_block : &maps.block, &full[stage],
                  CachePolicy::kEvictLast, 0, place.row(), copied_column_block(), kv_head,
                  place.pool_block());
    }
    __syncwarp();
    ring.advance();
  }

  const SparseKernelParams& params_;
  Shared& shared_;
  Ring key_ring_;
  Ring value_ring_;
};

}  // namespace longview::attention::sm90
