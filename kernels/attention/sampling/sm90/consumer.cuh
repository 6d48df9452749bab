// One computing warpgroup of stage 1: 64 sampled rows of one head against tiles of averaged keys.
#pragma once

#include "attention/sampling/block_masses.cuh"
#include "attention/sampling/sm90/config.h"
#include "attention/sampling/sm90/pieces.cuh"
#include "common/sm90/wgmma.cuh"

namespace longview::attention::sm90 {

using ::longview::sm90::advance_descriptor;
using ::longview::sm90::kWarpSize;
using ::longview::sm90::lane_index;
using ::longview::sm90::pin_registers;
using ::longview::sm90::RingPosition;
using ::longview::sm90::swizzled_descriptor;
using ::longview::sm90::Wgmma;
using ::longview::sm90::wgmma_commit;
using ::longview::sm90::wgmma_fence;
using ::longview::sm90::wgmma_wait;

template <class Config>
class SamplingConsumer {
 public:
  /// `warpgroup` counts the computing warpgroups from 0.
  __device__ __forceinline__ SamplingConsumer(const SamplingKernelParams& params,
                                              SamplingStorage<Config>& shared, int warpgroup)
      : params_(params),
        shared_(shared),
        warpgroup_(warpgroup),
        query_(swizzled_descriptor(shared.query[warpgroup], 0)),
        key_(swizzled_descriptor(shared.key, 0)) {}

  __device__ __forceinline__ void run() {
    uint32_t query_parity = 0;
    for (SamplingPieces<Config> pieces(params_); !pieces.done(); pieces.advance()) {
      shared_.query_full.wait(query_parity);
      run_piece(pieces.current());
      __syncwarp();
      if (lane_index() == 0) shared_.query_empty.arrive();
      query_parity ^= 1;
    }
  }

 private:
  using Keys = typename Config::Keys;
  using Masses = BlockMasses<Keys::kPooledKeys, Config::kPartSegments>;
  using Scores = typename Masses::Scores;
  static constexpr int kStepK = 16;  // depth of one wgmma
  static constexpr int kPartBlocks = Keys::kTileBlocks / Config::kParts;

  __device__ __forceinline__ void run_piece(const SamplingPiece& piece) {
    const int pair = piece.row_tile * Config::kConsumers + warpgroup_;
    const int group = pair / params_.heads_per_kv_head;
    const int head = piece.kv_head * params_.heads_per_kv_head + pair % params_.heads_per_kv_head;
    const int groups = params_.rows.groups;
    const int visible[2] = {visible_to(group, row_in_warpgroup()),
                            visible_to(group, row_in_warpgroup() + 8)};
    const int64_t warp_row = (int64_t{head} * groups + group) * kSampledGroupRows + 16 * warp();
    // The last row tile may have fewer pairs than warpgroups.
    uint16_t* rows = group < groups ? params_.block_masses + warp_row * params_.pitch : nullptr;
    const StagedMasses staged(shared_.masses[warpgroup_ * kWarpsPerWarpgroup + warp()], rows,
                              params_.pitch);
    Masses masses(params_.scale_log2, visible);
    // The first tile that not all rows see all of.
    const int unmasked = visible_to(group, 0) / Keys::kTileRows;
    if constexpr (Config::kParts == 1) {
      run_whole_tiles(piece, unmasked, masses, staged);
    } else {
      run_halves(piece, unmasked, masses, staged);
    }
  }

  __device__ __forceinline__ void run_whole_tiles(const SamplingPiece& piece, int unmasked,
                                                  Masses& masses, const StagedMasses& staged) {
    Scores scores;
    const int steps = piece.end_tile - piece.first_tile + piece.needs_reference();
#pragma unroll 1
    for (int step = 0; step < steps; ++step) {
      const int tile = piece.tile(step);
      wait_keys();
      issue(scores, 0);
      finish(scores);
      release_keys();
      if (tile >= unmasked) masses.mask(scores, tile * Keys::kTileBlocks);
      if (tile == 0) {
        masses.references().add(scores);
        masses.references().finish();
      }
      if (tile < piece.first_tile) continue;
      masses.put(staged, scores, tile * Keys::kTileBlocks);
      flush(staged, piece, tile);
    }
  }

  /// While one half of a tile is multiplied, the masses of the other are found.
  __device__ __forceinline__ void run_halves(const SamplingPiece& piece, int unmasked,
                                             Masses& masses, const StagedMasses& staged) {
    Scores low;
    Scores high;
    find_references(masses, low, high);
    int tile = piece.first_tile;
    if (tile == 0) {
      masses.put(staged, low, 0);
      masses.put(staged, high, kPartBlocks);
      flush(staged, piece, tile);
      ++tile;
    }
    if (tile == piece.end_tile) return;

    wait_keys();
    issue(low, 0);
#pragma unroll 1
    for (; tile + 1 < piece.end_tile; ++tile) {
      finish(low);
      issue(high, 1);
      put(masses, staged, low, tile, 0, unmasked);
      finish(high);
      release_keys();
      wait_keys();
      issue(low, 0);
      put(masses, staged, high, tile, 1, unmasked);
      flush(staged, piece, tile);
    }
    finish(low);
    issue(high, 1);
    put(masses, staged, low, tile, 0, unmasked);
    finish(high);
    release_keys();
    put(masses, staged, high, tile, 1, unmasked);
    flush(staged, piece, tile);
  }

  /// Leaves the scores of tile 0, masked.
  __device__ __forceinline__ void find_references(Masses& masses, Scores& low, Scores& high) {
    wait_keys();
    issue(low, 0);
    issue(high, 1);
    finish(low);
    finish(high);
    release_keys();
    masses.mask(low, 0);
    masses.mask(high, kPartBlocks);
    masses.references().add(low);
    masses.references().add(high);
    masses.references().finish();
  }

  static __device__ __forceinline__ void put(const Masses& masses, const StagedMasses& staged,
                                             Scores& scores, int tile, int part, int unmasked) {
    const int first_block = tile * Keys::kTileBlocks + part * kPartBlocks;
    if (tile >= unmasked) masses.mask(scores, first_block);
    masses.put(staged, scores, first_block);
  }

  static __device__ __forceinline__ void flush(const StagedMasses& staged,
                                               const SamplingPiece& piece, int tile) {
    staged.flush(piece.first_tile * Keys::kTileBlocks, (tile + 1) * Keys::kTileBlocks,
                 tile + 1 == piece.end_tile);
  }

  /// Averages that row `row` of a group sees.
  __device__ __forceinline__ int visible_to(int group, int row) const {
    return visible_averages<Keys::kPooledKeys>(params_.kv_offset + params_.rows.row(group, row));
  }

  __device__ __forceinline__ void wait_keys() { shared_.key_full[ring_.stage].wait(ring_.parity); }

  /// Gives the place of the tile's keys back; the next tile's are the current ones then.
  __device__ __forceinline__ void release_keys() {
    if (lane_index() == 0) shared_.key_empty[ring_.stage].arrive();
    ring_.advance();
  }

  /// Begins scores = Q K^T for a part of the current tile.
  __device__ __forceinline__ void issue(Scores& scores, int part) {
    const uint64_t keys =
        advance_descriptor(key_, ring_.stage * Config::kTileBytes +
                                     part * Config::kPartSegments * Config::kSegmentBytes);
    wgmma_fence();
#pragma unroll
    for (int block = 0; block < Config::kColumnBlocks; ++block) {
#pragma unroll
      for (int k = 0; k < Config::kColumnBlock / kStepK; ++k) {
        Wgmma<Masses::kRows>::shared_by_rows(
            scores,
            advance_descriptor(query_, block * Config::kGroupColumnBlockBytes + 2 * kStepK * k),
            advance_descriptor(keys, block * Config::kTileColumnBlockBytes + 2 * kStepK * k),
            block + k > 0);
      }
    }
    wgmma_commit();
  }

  /// Waits for all that was begun.
  static __device__ __forceinline__ void finish(Scores& scores) {
    wgmma_wait<0>();
    pin_registers(scores);
  }

  static __device__ __forceinline__ int warp() {
    return static_cast<int>(threadIdx.x) % kWarpgroupSize / kWarpSize;
  }

  /// The first of the thread's two rows within its warpgroup; the other lies 8 below.
  __device__ __forceinline__ static int row_in_warpgroup() {
    return 16 * warp() + lane_index() / 4;
  }

  const SamplingKernelParams& params_;
  SamplingStorage<Config>& shared_;
  int warpgroup_;
  uint64_t query_;
  uint64_t key_;
  RingPosition<Config::kStages> ring_;
};

}  // namespace longview::attention::sm90
