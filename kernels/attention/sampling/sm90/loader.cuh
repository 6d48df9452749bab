// The loading warp of stage 1: sampled rows by one copy with a stride, averaged keys tile by tile.
#pragma once

#include "attention/sampling/sm90/config.h"
#include "attention/sampling/sm90/pieces.cuh"
#include "common/sm90/tma.cuh"

namespace longview::attention::sm90 {

using ::longview::sm90::CachePolicy;
using ::longview::sm90::RingPosition;

/// Run by one thread of the block.
template <class Config>
class SamplingLoader {
 public:
  __device__ __forceinline__ SamplingLoader(const SamplingKernelParams& params,
                                            SamplingStorage<Config>& shared)
      : params_(params), shared_(shared) {}

  __device__ __forceinline__ void run() {
    uint32_t query_parity = 0;
    for (SamplingPieces<Config> pieces(params_); !pieces.done(); pieces.advance()) {
      const SamplingPiece piece = pieces.current();
      shared_.query_empty.wait(query_parity ^ 1);
      load_query(piece);
      if (piece.needs_reference()) load_keys(piece.kv_head, 0);
#pragma unroll 1
      for (int tile = piece.first_tile; tile < piece.end_tile; ++tile) {
        load_keys(piece.kv_head, tile);
      }
      query_parity ^= 1;
    }
  }

 private:
  using Keys = typename Config::Keys;

  __device__ __forceinline__ void load_query(const SamplingPiece& piece) {
    const int pairs = params_.rows.groups * params_.heads_per_kv_head;
    const int first = piece.row_tile * Config::kConsumers;
    const int count = min(Config::kConsumers, pairs - first);
    shared_.query_full.arrive_and_expect(count * Config::kGroupBytes);
    for (int i = 0; i < count; ++i) {
      const int group = (first + i) / params_.heads_per_kv_head;
      const int head =
          piece.kv_head * params_.heads_per_kv_head + (first + i) % params_.heads_per_kv_head;
      for (int block = 0; block < Config::kColumnBlocks; ++block) {
        tma_load_4d(shared_.query[i] + block * Config::kGroupColumnBlockBytes, &params_.query,
                    &shared_.query_full, CachePolicy::kEvictFirst, 0, head,
                    params_.rows.group_start(group), block);
      }
    }
  }

  /// The parts of the KV pool's blocks that a tile is made of; those behind the sequence stay what
  /// they were.
  __device__ __forceinline__ void load_keys(int kv_head, int tile) {
    const int stage = ring_.stage;
    const int first_row = tile * Keys::kTileRows;
    const int first_block = first_row / Keys::kPoolBlockRows;
    const int count = min(Keys::kSegments, params_.pool_blocks - first_block);
    shared_.key_empty[stage].wait(ring_.parity ^ 1);
    Mbarrier& full = shared_.key_full[stage];
    full.arrive_and_expect(count * Config::kColumnBlocks * Config::kSegmentBytes);
#pragma unroll 1
    for (int i = 0; i < count; ++i) {
      // Contiguous keys are one block, which ends where they do.
      const bool contiguous = Keys::kPooledKeys == 1 && params_.block_table == nullptr;
      const int row = contiguous ? first_row : first_row % Keys::kPoolBlockRows;
      const int physical = contiguous ? 0 : physical_block(first_block + i);
      for (int block = 0; block < Config::kColumnBlocks; ++block) {
        tma_load_5d(
            shared_.key[stage] + block * Config::kTileColumnBlockBytes + i * Config::kSegmentBytes,
            &params_.key, &full, CachePolicy::kEvictLast, 0, row, block, kv_head, physical);
      }
    }
    ring_.advance();
  }

  __device__ __forceinline__ int physical_block(int block) const {
    return params_.block_table == nullptr ? block : __ldg(params_.block_table + block);
  }

  const SamplingKernelParams& params_;
  SamplingStorage<Config>& shared_;
  RingPosition<Config::kStages> ring_;
};

}  // namespace longview::attention::sm90
