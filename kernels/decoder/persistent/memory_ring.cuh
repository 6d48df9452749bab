// Everything that a step reads once, weights and cached keys and values, on its way through a ring
// in shared memory. Some warps fetch it, across products and layers: while the other warps wait for
// other blocks, their next weights arrive.
//
// Stages are numbered from the start of the step; each has its place in the order of a layer:
//   a product         tile by tile of the block's rows, each in pieces of the columns
//   attention         for each kStageSlices slices their keys, then their values
// Stage n lies in slot n % kStages, which the warp n % kFetchWarps of those that fetch fills:
// always the same, so that it never runs a round ahead of another, and parities suffice.
#pragma once

#include <cstdint>

#include "common/sm80/mma.cuh"
#include "common/sm90/barrier.cuh"
#include "common/sm90/tma.cuh"
#include "decoder/persistent/step_context.cuh"
#include "gemm/params.h"

namespace longview::decoder {

/// In shared memory.
struct MemoryRing {
  static constexpr int kStages = PersistentConfig::kStages;
  /// Arrivals that fill a stage: of each lane that fetches.
  static constexpr int kFillArrivals = kWarpThreads;

  alignas(128) uint8_t slots[kStages][PersistentConfig::kStageBytes];
  sm90::Mbarrier full[kStages];
  sm90::Mbarrier empty[kStages];

  /// One thread calls this before any other uses the ring.
  __device__ void init() {
    for (int i = 0; i < kStages; ++i) {
      full[i].init(kFillArrivals);
      empty[i].init(PersistentConfig::kWarps);
    }
    sm90::fence_barrier_init();
  }

  /// For who fetches: waits until the stage's room is free, and no more than kUnderWay stages are
  /// on their way with it: more would only make all else that the block asks for wait behind them.
  /// Returns its slot.
  __device__ int claim(int stage) {
    const int slot = stage % kStages;
    empty[slot].wait((stage / kStages + 1) % 2);
    const int before = stage - PersistentConfig::kUnderWay;
    if (before >= 0) full[before % kStages].wait(before / kStages % 2);
    return slot;
  }

  /// For each warp that computes: waits until the stage is filled; returns its shared address.
  __device__ uint32_t acquire(int stage) {
    const int slot = stage % kStages;
    full[slot].wait(stage / kStages % 2);
    return sm80::shared_address(slots[slot]);
  }

  /// The warp's lanes have read the stage, or do not need it; after acquire().
  __device__ void release(int stage) {
    __syncwarp();
    if (threadIdx.x % kWarpThreads == 0) empty[stage % kStages].arrive();
  }
};

/// One of the warps that fetch.
template <int kHeadDim>
class MemoryFetcher {
 public:
  using Share = KeyShare<kHeadDim>;
  using Tile = sm80::SwizzledTile<kHeadDim>;

  __device__ MemoryFetcher(const PersistentParams& params, const StepContext<kHeadDim>& context,
                           MemoryRing& ring)
      : params_(params), context_(context), share_(context.share), ring_(ring) {}

  /// Fetches each kFetchWarps-th stage.
  __device__ void run() {
    const int warp = static_cast<int>(threadIdx.x) / kWarpThreads - PersistentConfig::kWarps;
    Place next = placed(warp);
#pragma unroll 1
    for (int stage = warp; next.layer < params_.layer_count; stage += kFetchWarps) {
      fetch(next, stage);
      next = behind(next);
    }
  }

 private:
  using Config = PersistentConfig;
  static constexpr int kFetchWarps = Config::kFetchWarps;

  /// Of a stage: the `index`-th of its phase.
  struct Place {
    int layer;
    int phase;
    int index;
  };

  static __device__ int lane() { return static_cast<int>(threadIdx.x) % kWarpThreads; }

  __device__ Place placed(int stage) const { return carried({0, 0, stage}); }
  __device__ Place behind(Place place) const {
    place.index += kFetchWarps;
    return carried(place);
  }

  /// Into the phases behind, as far as the index reaches beyond its own.
  __device__ Place carried(Place place) const {
    while (place.index >= context_.stages[place.phase]) {
      place.index -= context_.stages[place.phase];
      if (++place.phase == kPhases) {
        place.phase = 0;
        ++place.layer;
      }
    }
    return place;
  }

  __device__ void fetch(const Place& place, int stage) {
    const PersistentLayer& layer = context_.layer(place.layer);
    if (static_cast<Phase>(place.phase) == Phase::kAttention) {
      fetch_slices(place.index % 2 == 0 ? layer.key_pool : layer.value_pool, place.index / 2,
                   stage);
    } else {
      fetch_tile(static_cast<Phase>(place.phase), layer, place.index, stage);
    }
  }

  /// Where the lane's row of a stage's tile begins, and how much of each row belongs to the stage.
  struct Piece {
    const uint8_t* from;
    uint32_t bytes;
    int rows;  // of the tile
  };

  __device__ Piece piece_of(Phase phase, const PersistentLayer& layer, int index) const {
    const ProductShape& shape = params_.shapes[static_cast<int>(phase)];
    const int tile = index / shape.pieces;
    const int offset = (index - tile * shape.pieces) * shape.piece_bytes;
    const int rows = min(Config::kTileRows, ProductShare(shape).rows - tile * Config::kTileRows);
    const int row = tile * Config::kTileRows + min(lane(), rows - 1);  // of the block's
    const int item = ProductShare::item(shape.item_rows == 2 ? row / 2 : row);
    const int64_t matrix_row = row_of(phase, item, shape.item_rows == 2 ? row % 2 : 0);
    return {layer.matrices[static_cast<int>(phase)] + matrix_row * shape.row_bytes + offset,
            static_cast<uint32_t>(min(shape.piece_bytes, shape.row_bytes - offset)), rows};
  }

  /// A lane fetches a row's piece.
  __device__ void fetch_tile(Phase phase, const PersistentLayer& layer, int index, int stage) {
    const Piece piece = piece_of(phase, layer, index);
    const int slot = ring_.claim(stage);
    if (lane() == 0) {
      ring_.full[slot].arrive(MemoryRing::kFillArrivals - 1);
      ring_.full[slot].arrive_and_expect(piece.rows * piece.bytes);
    }
    __syncwarp();
    if (lane() < piece.rows) {
      sm90::bulk_load(ring_.slots[slot] + lane() * Config::kPiecePitch, piece.from, piece.bytes,
                      &ring_.full[slot], sm90::CachePolicy::kEvictFirst);
    }
    __syncwarp();
  }

  /// Keys or values of the `group`-th kStageSlices slices of the block's share.
  __device__ void fetch_slices(const void* pool, int group, int stage) {
    const int first = share_.begin + group * Config::kStageSlices;
    const int slices = min(Config::kStageSlices, share_.end - first);
    const int slot = ring_.claim(stage);
#pragma unroll 1
    for (int i = 0; i < slices; ++i) {
      fetch_slice(sm80::shared_address(ring_.slots[slot] + i * Config::kSliceBytes), pool,
                  first + i);
    }
    ring_.full[slot].arrive_after_copies();
  }

  __device__ const uint8_t* slice_start(const void* pool, int slice) const {
    const int64_t row = context_.row_of(slice * Share::kSliceKeys) * params_.rope.num_kv_heads;
    return static_cast<const uint8_t*>(pool) + (row + share_.kv_head) * (2 * kHeadDim);
  }

  /// Rows behind the cached ones become zeros.
  __device__ void fetch_slice(uint32_t to, const void* pool, int slice) {
    constexpr int kRowsAtOnce = kWarpThreads / Tile::kPieces;
    const int token = slice * Share::kSliceKeys;
    const int64_t stride = int64_t{2} * params_.rope.num_kv_heads * kHeadDim;
    const int piece = lane() % Tile::kPieces;
    const int lane_row = lane() / Tile::kPieces;
    const uint8_t* first = slice_start(pool, slice) + 16 * piece;
    const Tile tile{to};
    if (token + Share::kSliceKeys <= share_.cached) {
      const uint8_t* from = first + lane_row * stride;
#pragma unroll
      for (int i = 0; i < Share::kSliceKeys; i += kRowsAtOnce, from += kRowsAtOnce * stride) {
        sm80::copy_16_async(tile.piece(i + lane_row, piece), from, true);
      }
    } else {
#pragma unroll 1
      for (int row = lane_row; row < Share::kSliceKeys; row += kRowsAtOnce) {
        const bool exists = token + row < share_.cached;
        sm80::copy_16_async(tile.piece(row, piece), first + (exists ? row * stride : 0), exists);
      }
    }
  }

  __device__ int row_of(Phase phase, int item, int row) const {
    if (phase == Phase::kQkv) {
      const int pair = item % (kHeadDim / 2);
      const bool is_halves = params_.rope.pairs == RopePairs::kHalves;
      return 2 * (item - pair) + (is_halves ? pair + row * (kHeadDim / 2) : 2 * pair + row);
    }
    if (phase == Phase::kGateUp) {
      constexpr int kBlock = gemm::kSwigluRowBlock;
      return item / kBlock * (2 * kBlock) + item % kBlock + row * kBlock;
    }
    return item;
  }

  const PersistentParams& params_;
  const StepContext<kHeadDim>& context_;
  const Share& share_;
  MemoryRing& ring_;
};

}  // namespace longview::decoder
