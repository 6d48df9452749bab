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
template <class Config, bool kAverages>
class SparseLoader {
 public:
  static constexpr int kThreads = kWarpSize;
  using Work = SparseWork<Config, kAverages>;
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
  static_assert(KV_BLOCK_TOKENS % kSelectionBlockKeys == 0, "a block would cross blocks");

  /// The keys of a query tile as a row of blocks, see listed_tiles.cuh.
  struct Row {
    const uint16_t* list;
    int listed;
    int beside;  // where columns or averages begin
    int blocks;  // all together
  };

  // A block in a word: the number of a listed one, or a flag and the number of one of columns or
  // averages.
  static constexpr int kNoBlock = -1;
  static constexpr int kBesideFlag = 1 << 24;

  /// Where a block lies, in one word: the row in a block of the pool, a flag for the sequence's
  /// last one, the block of the pool. Or the first row of columns or averages, and a flag.
  struct Place {
    static constexpr uint32_t kBesideFlag = 1u << 31;
    static constexpr uint32_t kLastFlag = 1024;
    static constexpr uint32_t kPerBlock = 2048;
    static_assert(KV_BLOCK_TOKENS < kLastFlag);
    uint32_t word;

    __device__ __forceinline__ bool is_beside() const { return word & kBesideFlag; }
    __device__ __forceinline__ bool in_last() const { return word & kLastFlag; }
    __device__ __forceinline__ int row() const {
      return static_cast<int>(is_beside() ? word ^ kBesideFlag : word % kLastFlag);
    }
    __device__ __forceinline__ int pool_block() const {
      return static_cast<int>(is_beside() ? 0 : word / kPerBlock);
    }
  };

  struct Heads {
    int query;
    int kv;
  };

  /// Takes the next slot of the order, for lane 0. There are at most as many blocks as tiles, so
  /// all blocks together get here exactly `num_tiles` times; the counter then has wrapped to zero,
  /// ready for the next launch.
  __device__ __forceinline__ int take_slot() const {
    if (lane_index() != 0) return 0;
    return static_cast<int>(gridDim.x + atomicInc(params_.next_tile, params_.num_tiles - 1));
  }

  __device__ __forceinline__ void load_tile(int tile, uint32_t query_parity) {
    const int head = tile / params_.lists.tiles;
    const Heads heads{head, head / params_.heads_per_kv_head};
    const int first_position = (tile - head * params_.lists.tiles) * kSelectionTileRows;
    const bool has_columns = !kAverages && params_.visible_columns != nullptr;
    const int columns = has_columns ? __ldg(params_.visible_columns + tile) : 0;
    const int averages = kAverages ? (params_.kv_offset + first_position) / kSelectionBlockKeys : 0;
    Row row;
    row.list = params_.lists.blocks + static_cast<int64_t>(tile) * params_.lists.max_blocks;
    row.listed = __ldg(params_.lists.counts + tile);
    row.beside =
        kAverages ? (row.listed + kTileBlocks - 1) / kTileBlocks * kTileBlocks : row.listed;
    row.blocks = row.beside + (columns + averages + kSelectionBlockKeys - 1) / kSelectionBlockKeys;

    int ahead = block_of(row, 0);
    const int first_blocks = ahead;
    Place places{};
    Place values{};
    int at_once = kTilesAtOnce;  // K/V tiles done of those whose places the lanes hold
#pragma unroll 1
    for (int i = 0; i < row.blocks; i += kTileBlocks) {
      if (at_once == kTilesAtOnce) {
        places = place(ahead);
        ahead = block_of(row, i + kBlocksAtOnce);
        at_once = 0;
      }
      const int holder = at_once++ * kTileBlocks + copied_block();
      const Place keys{__shfl_sync(kAllLanes, places.word, holder)};
      load_keys(heads, keys);
      if (i == 0) {
        load_query({tile, row.listed * kSelectionBlockKeys + columns, {}}, head, first_position,
                   first_blocks, query_parity);
      } else {
        load_values(heads, values);
      }
      values = keys;
    }
    load_values(heads, values);
  }

  /// The lane's block of those from `from` on.
  __device__ __forceinline__ static int block_of(const Row& row, int from) {
    const int i = from + lane_index();
    if (i < row.listed) return __ldg(row.list + (row.listed - 1 - i));
    return i >= row.beside && i < row.blocks ? kBesideFlag + i - row.beside : kNoBlock;
  }

  /// A block that is not there lies behind the rows of a pool block: TMA fills zeros.
  __device__ __forceinline__ Place place(int block) const {
    if (block == kNoBlock) return {KV_BLOCK_TOKENS};
    if (block >= kBesideFlag) {
      const int row = (block - kBesideFlag) * kSelectionBlockKeys;
      return {Place::kBesideFlag | static_cast<uint32_t>(row)};
    }
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

  __device__ __forceinline__ void load_keys(const Heads& heads, const Place& place) {
    load(params_.key, params_.beside_key, shared_.key, shared_.key_full, shared_.key_empty,
         key_ring_, heads, place);
  }

  __device__ __forceinline__ void load_values(const Heads& heads, const Place& place) {
    load(params_.value, params_.beside_value, shared_.value, shared_.value_full,
         shared_.value_empty, value_ring_, heads, place);
  }

  /// The ticket travels with the query: the consumers read both after `query_full`.
  __device__ __forceinline__ void load_query(const typename Work::Ticket& ticket, int head,
                                             int first_position, int first_blocks,
                                             uint32_t query_parity) {
    shared_.query_empty.wait(query_parity ^ 1);
    if (lane_index() < kTileBlocks) {
      const bool listed = first_blocks != kNoBlock && first_blocks < kBesideFlag;
      shared_.ticket.first_tile.first[lane_index()] =
          listed ? first_blocks * kSelectionBlockKeys : 0;
    }
    __syncwarp();
    if (lane_index() == 0) {
      shared_.ticket.tile = ticket.tile;
      shared_.ticket.keys = ticket.keys;
      shared_.query_full.arrive_and_expect(sizeof(shared_.query));
      for (int block = 0; block < Config::kColumnBlocks; ++block) {
        tma_load_4d(shared_.query + block * Config::kQueryColumnBlockBytes, &params_.query,
                    &shared_.query_full, CachePolicy::kEvictFirst, 0, head, first_position, block);
      }
    }
    __syncwarp();
  }

  /// One K or V tile, each lane the part at its `place`. A barrier may count bytes before they are
  /// announced: its phase waits for the one arrival.
  __device__ __forceinline__ void load(const KvMaps& maps, const CUtensorMap& beside,
                                       uint8_t (&stages)[Config::kStages][Config::kKvTileBytes],
                                       Mbarrier (&full)[Config::kStages],
                                       Mbarrier (&empty)[Config::kStages], Ring& ring,
                                       const Heads& heads, const Place& place) {
    const int stage = ring.stage;
    empty[stage].wait(ring.parity ^ 1);
    if (lane_index() == 0) full[stage].arrive_and_expect(Config::kKvTileBytes);
    if (lane_index() < kCopies) {
      constexpr int kBlockBytes = kSelectionBlockKeys * Config::kRowBytes;
      uint8_t* target = stages[stage] + copied_column_block() * Config::kKvColumnBlockBytes +
                        copied_block() * kBlockBytes;
      const CUtensorMap* map = place.is_beside() ? &beside
                               : place.in_last() ? &maps.last_block
                                                 : &maps.block;
      tma_load_5d(target, map, &full[stage], CachePolicy::kEvictLast, 0, place.row(),
                  copied_column_block(), place.is_beside() && !kAverages ? heads.query : heads.kv,
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
