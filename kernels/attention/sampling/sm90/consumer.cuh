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
  using Masses = BlockMasses<Keys::kPooledKeys>;
  static constexpr int kStepK = 16;  // depth of one wgmma

  __device__ __forceinline__ void run_piece(const SamplingPiece& piece) {
    const int pair = piece.row_tile * Config::kConsumers + warpgroup_;
    const int group = pair / params_.heads_per_kv_head;
    const int head = piece.kv_head * params_.heads_per_kv_head + pair % params_.heads_per_kv_head;
    const int groups = params_.rows.groups;
    int visible[2];
    uint16_t* rows[2];
#pragma unroll
    for (int i = 0; i < 2; ++i) {
      const int row = row_in_warpgroup() + 8 * i;
      visible[i] = visible_to(group, row);
      const int64_t place = (int64_t{head} * groups + group) * kSampledGroupRows + row;
      // The last row tile may have fewer pairs than warpgroups.
      rows[i] = group < groups ? params_.block_masses + place * params_.pitch : nullptr;
    }
    Masses masses(params_.scale_log2, params_.pool_blocks, visible, rows);
    // The first tile that not all rows see all of.
    const int unmasked = visible_to(group, 0) / Keys::kTileRows;

    float scores[Masses::kElements];
    const int steps = piece.end_tile - piece.first_tile + piece.needs_reference();
#pragma unroll 1
    for (int step = 0; step < steps; ++step) {
      const int tile = piece.tile(step);
      multiply(scores);
      if (tile >= unmasked) masses.mask(scores, tile);
      if (tile == 0) masses.find_reference(scores);
      if (tile >= piece.first_tile) masses.store(scores, tile);
    }
  }

  /// Averages that row `row` of a group sees.
  __device__ __forceinline__ int visible_to(int group, int row) const {
    return visible_averages<Keys::kPooledKeys>(params_.kv_offset + params_.rows.row(group, row));
  }

  /// scores = Q K^T for the next tile of keys.
  __device__ __forceinline__ void multiply(float (&scores)[Masses::kElements]) {
    shared_.key_full[ring_.stage].wait(ring_.parity);
    const uint64_t stage = advance_descriptor(key_, ring_.stage * Config::kTileBytes);
    wgmma_fence();
#pragma unroll
    for (int block = 0; block < Config::kColumnBlocks; ++block) {
#pragma unroll
      for (int k = 0; k < Config::kColumnBlock / kStepK; ++k) {
        Wgmma<Keys::kTileRows>::shared_by_rows(
            scores,
            advance_descriptor(query_, block * Config::kGroupColumnBlockBytes + 2 * kStepK * k),
            advance_descriptor(stage, block * Config::kTileColumnBlockBytes + 2 * kStepK * k),
            block + k > 0);
      }
    }
    wgmma_commit();
    wgmma_wait<0>();
    pin_registers(scores);
    if (lane_index() == 0) shared_.key_empty[ring_.stage].arrive();
    ring_.advance();
  }

  /// The first of the thread's two rows within its warpgroup; the other lies 8 below.
  __device__ __forceinline__ static int row_in_warpgroup() {
    const int thread = static_cast<int>(threadIdx.x) % kWarpgroupSize;
    return thread / kWarpSize * 16 + thread % kWarpSize / 4;
  }

  const SamplingKernelParams& params_;
  SamplingStorage<Config>& shared_;
  int warpgroup_;
  uint64_t query_;
  uint64_t key_;
  RingPosition<Config::kStages> ring_;
};

}  // namespace longview::attention::sm90
