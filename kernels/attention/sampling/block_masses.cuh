// From tiles of scores, in the accumulators of wgmma or mma.sync, to masses of blocks.
#pragma once

#include <cuda_runtime_api.h>

#include <cmath>

#include "attention/quad.cuh"
#include "attention/sampling/pooled_keys.h"

namespace longview::attention {

/// Masses are relative to 2^kMassExponent times the largest average of tile 0: a block overflows
/// fp32 beyond 2^187 times that, and what is below 2^-66 of it vanishes.
constexpr float kMassExponent = 60.f;

/// What a thread knows of its two rows while it goes through tiles of scores. A tile has the
/// averages of kSegments blocks of the KV pool.
template <int kPooledKeys>
class BlockMasses {
 public:
  using Keys = PooledKeys<kPooledKeys>;
  static constexpr int kElements = Keys::kTileRows / 2;
  using Scores = float[kElements];

  /// `visible[row]` averages are visible to each row; its masses go to `rows[row]`, which may be
  /// null. `pool_blocks` blocks of the KV pool hold the sequence.
  __device__ __forceinline__ BlockMasses(float scale_log2, int pool_blocks, const int (&visible)[2],
                                         uint16_t* const (&rows)[2])
      : scale_log2_(scale_log2), pool_blocks_(pool_blocks) {
#pragma unroll
    for (int row = 0; row < 2; ++row) {
      visible_[row] = visible[row];
      rows_[row] = rows[row];
    }
  }

  /// Hides the averages of tile `tile` that the rows do not see. Tiles whose averages all are
  /// visible can do without.
  __device__ __forceinline__ void mask(Scores& scores, int tile) const {
#pragma unroll
    for (int row = 0; row < 2; ++row) {
      const int visible = visible_[row] - tile * Keys::kTileRows;
      const int own_visible = visible - Keys::own_number(0, 0, 0, lane());
      const int shared_visible = visible - Keys::shared_number(0, 0, lane());
#pragma unroll
      for (int segment = 0; segment < Keys::kSegments; ++segment) {
#pragma unroll
        for (int key = 0; key < Keys::kBlockRows; ++key) {
#pragma unroll
          for (int which = 0; which < 2; ++which) {
            if (Keys::own_number(segment, which, key, 0) >= own_visible) {
              scores[Keys::own_element(segment, which, key, row)] = -INFINITY;
            }
          }
        }
#pragma unroll
        for (int i = 0; i < Keys::kSharedRows; ++i) {
          if (Keys::shared_number(segment, i, 0) - Keys::shared_number(0, 0, 0) >= shared_visible) {
            scores[Keys::shared_element(segment, i, row)] = -INFINITY;
          }
        }
      }
    }
  }

  /// Takes each row's constant from the scores of tile 0, masked.
  __device__ __forceinline__ void find_reference(const Scores& scores) {
#pragma unroll
    for (int row = 0; row < 2; ++row) {
      float maximum = -INFINITY;
#pragma unroll
      for (int i = 2 * row; i < kElements; i += 4) {
        maximum = fmaxf(maximum, fmaxf(scores[i], scores[i + 1]));
      }
      maximum = quad_max(maximum) * scale_log2_;
      reference_[row] = (fabsf(maximum) < INFINITY ? maximum : 0.f) + kMassExponent;
    }
  }

  /// Stores the masses of the blocks of tile `tile`.
  __device__ __forceinline__ void store(const Scores& scores, int tile) const {
#pragma unroll
    for (int row = 0; row < 2; ++row) {
      uint16_t* masses = rows_[row] + tile * Keys::kSegments * Keys::kPoolBlockBlocks;
      const bool exists = rows_[row] != nullptr;
#pragma unroll
      for (int segment = 0; segment < Keys::kSegments; ++segment) {
        float mass[2];
#pragma unroll
        for (int which = 0; which < 2; ++which) mass[which] = own_mass(scores, segment, which, row);
        if (exists && tile * Keys::kSegments + segment < pool_blocks_) {
          *reinterpret_cast<uint32_t*>(masses + segment * Keys::kPoolBlockBlocks + 2 * lane()) =
              pack_bf16(mass[0], mass[1]);
        }
      }
#pragma unroll
      for (int segment = 0; segment < Keys::kSegments; segment += 2) {
        const float mass = shared_mass(scores, segment, row);
        const int finished = segment + (kPairs ? lane() / 2 : 0);
        if (exists && tile * Keys::kSegments + finished < pool_blocks_ && (kPairs || lane() < 2)) {
          masses[finished * Keys::kPoolBlockBlocks + 8 + lane() % 2] =
              static_cast<uint16_t>(pack_bf16(mass, 0.f));
        }
      }
    }
  }

 private:
  static constexpr bool kPairs = Keys::kSegments > 1;

  static __device__ __forceinline__ int lane() { return static_cast<int>(threadIdx.x) % 4; }

  __device__ __forceinline__ float exponential(float score, int row) const {
    return exp2_fast(fmaf(score, scale_log2_, -reference_[row]));
  }

  __device__ __forceinline__ float own_mass(const Scores& scores, int segment, int which,
                                            int row) const {
    float sum = 0.f;
#pragma unroll
    for (int key = 0; key < Keys::kBlockRows; ++key) {
      sum += exponential(scores[Keys::own_element(segment, which, key, row)], row);
    }
    return sum;
  }

  /// What this lane holds of the block that it shares.
  __device__ __forceinline__ float half_mass(const Scores& scores, int segment, int row) const {
    float sum = 0.f;
#pragma unroll
    for (int i = 0; i < Keys::kSharedRows; ++i) {
      sum += exponential(scores[Keys::shared_element(segment, i, row)], row);
    }
    return sum;
  }

  /// The lanes trade halves: the lower two finish the blocks of `segment`, the upper two those of
  /// the next one. Without a next one both have the same.
  __device__ __forceinline__ float shared_mass(const Scores& scores, int segment, int row) const {
    const float half = half_mass(scores, segment, row);
    if constexpr (kPairs) {
      const float next = half_mass(scores, segment + 1, row);
      const bool upper = lane() >= 2;
      const float other = __shfl_xor_sync(0xffffffff, upper ? half : next, 2);
      return (upper ? next : half) + other;
    } else {
      return half + __shfl_xor_sync(0xffffffff, half, 2);
    }
  }

  float scale_log2_;
  int pool_blocks_;
  int visible_[2];
  uint16_t* rows_[2];
  float reference_[2] = {0.f, 0.f};
};

}  // namespace longview::attention
