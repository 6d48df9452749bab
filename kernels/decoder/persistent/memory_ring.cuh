// Everything that a step reads once, weights and cached keys and values, on its way through a ring
// in shared memory. Some warps fetch it, across products and layers: while the other warps wait for
// other blocks, their next weights arrive.
//
// Stages are numbered from the start of the step; each has its place in the order of a layer:
//   a product         the parts of the block's rows, row by row; part u is for warp u % kWarps
//   attention         for each kWarps slices their keys, then their values; slice j is for warp j %
//   kWarps
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
  static constexpr int kSlotBytes = PersistentConfig::kSlotBytes;
  /// Arrivals that fill a stage: of each lane that fetches.
  static constexpr int kFillArrivals = kWarpThreads;

  alignas(1024) uint8_t slots[kStages][kSlotBytes];
  sm90::Mbarrier full[kStages];
  sm90::Mbarrier empty[kStages];

  /// One thread calls this before any other uses the ring.
  __device__ void init() {
    for (int i = 0; i < kStages; ++i) {
      full[i].init(kFillArrivals);
      empty[i].init(1);
    }
    sm90::fence_barrier_init();
  }

  /// For who fetches: waits until the stage's room is free; returns its slot.
  __device__ int claim(int stage) {
    const int slot = stage % kStages;
    empty[slot].wait((stage / kStages + 1) % 2);
    return slot;
  }

  /// For the warp that a stage is for: waits until it is filled.
  __device__ const uint8_t* acquire(int stage) {
    const int slot = stage % kStages;
    full[slot].wait(stage / kStages % 2);
    return slots[slot];
  }

  /// The warp's lanes have read the stage.
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
                           const Share& share, MemoryRing& ring)
      : params_(params), context_(context), share_(share), ring_(ring) {}

  __device__ void run() {
#pragma unroll 1
    for (int layer = 0; layer < params_.layer_count; ++layer) {
#pragma unroll 1
      for (int phase = 0; phase < kPhases; ++phase) {
        if (static_cast<Phase>(phase) == Phase::kAttention) {
          fetch_keys(context_.layer(layer));
        } else {
          fetch_product(static_cast<Phase>(phase), context_.layer(layer));
        }
      }
    }
  }

 private:
  static constexpr int kFetchWarps = PersistentConfig::kFetchWarps;

  static __device__ int lane() { return static_cast<int>(threadIdx.x) % kWarpThreads; }

  /// How far behind the next stage the warp's first one lies.
  __device__ int first_own() const {
    const int warp = static_cast<int>(threadIdx.x) / kWarpThreads - PersistentConfig::kWarps;
    return (warp + kFetchWarps - stage_ % kFetchWarps) % kFetchWarps;
  }

  /// A lane fetches a part, kGroup lanes at a time: few, so that the ring is not waited for in
  /// lumps.
  __device__ void fetch_product(Phase phase, const PersistentLayer& layer) {
    constexpr int kGroup = 4;
    const ProductShape shape = params_.shapes[static_cast<int>(phase)];
    const uint8_t* matrix = layer.matrices[static_cast<int>(phase)];
    const int parts = ProductShare(shape).parts;
#pragma unroll 1
    for (int first = first_own(); first < parts; first += kGroup * kFetchWarps) {
      const int part = first + lane() * kFetchWarps;
      if (lane() < kGroup && part < parts) {
        const int row = part * shape.parts_inverse >> 16;  // of the block's rows
        const int offset = (part - row * shape.parts) * shape.part_bytes;
        const int item = ProductShare::item(shape.item_rows == 2 ? row / 2 : row);
        const int64_t matrix_row = row_of(phase, item, shape.item_rows == 2 ? row % 2 : 0);
        const uint32_t bytes = min(shape.part_bytes, shape.row_bytes - offset);
        const int slot = ring_.claim(stage_ + part);
        ring_.full[slot].arrive(MemoryRing::kFillArrivals - 1);
        ring_.full[slot].arrive_and_expect(bytes);
        sm90::bulk_load(ring_.slots[slot], matrix + matrix_row * shape.row_bytes + offset, bytes,
                        &ring_.full[slot], sm90::CachePolicy::kEvictFirst);
      }
      __syncwarp();
    }
    stage_ += parts;
  }

  __device__ void fetch_keys(const PersistentLayer& layer) {
#pragma unroll 1
    for (int first = share_.begin; first < share_.end; first += PersistentConfig::kWarps) {
      const int slices = min(PersistentConfig::kWarps, share_.end - first);
#pragma unroll 1
      for (int i = first_own(); i < 2 * slices; i += kFetchWarps) {
        const bool are_keys = i < slices;
        fetch_slice(stage_ + i, are_keys ? layer.key_pool : layer.value_pool,
                    first + (are_keys ? i : i - slices));
      }
      stage_ += 2 * slices;
    }
  }

  /// Keys or values of a slice; rows behind the cached ones become zeros.
  __device__ void fetch_slice(int stage, const void* pool, int slice) {
    constexpr int kRowsAtOnce = kWarpThreads / Tile::kPieces;
    const int token = slice * Share::kSliceKeys;
    const int64_t stride = int64_t{2} * params_.rope.num_kv_heads * kHeadDim;
    const int64_t first_row = context_.row_of(share_, token) * params_.rope.num_kv_heads;
    const int piece = lane() % Tile::kPieces;
    const int lane_row = lane() / Tile::kPieces;
    const uint8_t* first = static_cast<const uint8_t*>(pool) +
                           (first_row + share_.kv_head) * (2 * kHeadDim) + 16 * piece;
    const int slot = ring_.claim(stage);
    const Tile tile{sm80::shared_address(ring_.slots[slot])};
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
    ring_.full[slot].arrive_after_copies();
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
  const Share share_;
  MemoryRing& ring_;
  int stage_ = 0;  // the next, of all warps
};

}  // namespace longview::decoder
