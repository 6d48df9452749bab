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

/// Exponentials of scores, relative to a constant of each of a thread's two rows.
class RowReferences {
 public:
  __device__ __forceinline__ explicit RowReferences(float scale_log2) : scale_log2_(scale_log2) {}

  /// Takes scores of tile 0, masked, into the rows' constants. finish() comes after all of them.
  template <int kElements>
  __device__ __forceinline__ void add(const float (&scores)[kElements]) {
#pragma unroll
    for (int row = 0; row < 2; ++row) {
#pragma unroll
      for (int i = 2 * row; i < kElements; i += 4) {
        references_[row] = fmaxf(references_[row], fmaxf(scores[i], scores[i + 1]));
      }
    }
  }

  __device__ __forceinline__ void finish() {
#pragma unroll
    for (float& reference : references_) {
      const float maximum = quad_max(reference) * scale_log2_;
      reference = (fabsf(maximum) < INFINITY ? maximum : 0.f) + kMassExponent;
    }
  }

  __device__ __forceinline__ float exponential(float score, int row) const {
    return exp2_fast(fmaf(score, scale_log2_, -references_[row]));
  }

 private:
  float scale_log2_;
  float references_[2] = {-INFINITY, -INFINITY};  // raw scores until finish()
};

/// Where a thread's masses go: straight to its two rows. Rows may be null.
struct MassRows {
  uint16_t* rows[2];
  int blocks;  // that a row has room for

  /// Masses of `block` and the next one, which must begin on an even number.
  __device__ __forceinline__ void put_pair(int row, int block, uint32_t pair) const {
    if (rows[row] != nullptr && block < blocks) {
      *reinterpret_cast<uint32_t*>(rows[row] + block) = pair;
    }
  }
  __device__ __forceinline__ void put(int row, int block, uint32_t mass) const {
    if (rows[row] != nullptr && block < blocks) rows[row][block] = static_cast<uint16_t>(mass);
  }
};

/// What a thread knows of its two rows while it goes through scores, those of `kSegments` blocks of
/// the KV pool at a time. `first_block` is always the first block of keys that the scores belong
/// to.
template <int kPooledKeys, int kSegments>
class BlockMasses {
 public:
  using Keys = PooledKeys<kPooledKeys>;
  static constexpr int kRows = kSegments * Keys::kPoolBlockRows;
  using Scores = float[kRows / 2];

  /// `visible[row]` averages are visible to each row.
  __device__ __forceinline__ BlockMasses(float scale_log2, const int (&visible)[2])
      : references_(scale_log2), visible_{visible[0], visible[1]} {}

  /// Hides the averages that the rows do not see. Where all are visible, there is no need.
  __device__ __forceinline__ void mask(Scores& scores, int first_block) const {
#pragma unroll
    for (int row = 0; row < 2; ++row) {
      const int visible = visible_[row] - first_block * Keys::kBlockRows;
      const int own_visible = visible - Keys::own_number(0, 0, 0, lane());
      const int shared_visible = visible - Keys::shared_number(0, 0, lane());
#pragma unroll
      for (int segment = 0; segment < kSegments; ++segment) {
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

  __device__ __forceinline__ RowReferences& references() { return references_; }

  /// Puts the masses of the scores' blocks.
  template <class Rows>
  __device__ __forceinline__ void put(const Rows& rows, const Scores& scores,
                                      int first_block) const {
#pragma unroll
    for (int row = 0; row < 2; ++row) {
#pragma unroll
      for (int segment = 0; segment < kSegments; ++segment) {
        float mass[2];
#pragma unroll
        for (int which = 0; which < 2; ++which) mass[which] = own_mass(scores, segment, which, row);
        const int block = first_block + segment * Keys::kPoolBlockBlocks + 2 * lane();
        rows.put_pair(row, block, pack_bf16(mass[0], mass[1]));
      }
#pragma unroll
      for (int segment = 0; segment < kSegments; segment += 2) {
        const float mass = shared_mass(scores, segment, row);
        const int finished = segment + (kPairs ? lane() / 2 : 0);
        const int block = first_block + finished * Keys::kPoolBlockBlocks + 8 + lane() % 2;
        if (kPairs || lane() < 2) rows.put(row, block, pack_bf16(mass, 0.f));
      }
    }
  }

 private:
  static constexpr bool kPairs = kSegments > 1;

  static __device__ __forceinline__ int lane() { return static_cast<int>(threadIdx.x) % 4; }

  __device__ __forceinline__ float own_mass(const Scores& scores, int segment, int which,
                                            int row) const {
    float sum = 0.f;
#pragma unroll
    for (int key = 0; key < Keys::kBlockRows; ++key) {
      sum += references_.exponential(scores[Keys::own_element(segment, which, key, row)], row);
    }
    return sum;
  }

  /// What this lane holds of the block that it shares.
  __device__ __forceinline__ float half_mass(const Scores& scores, int segment, int row) const {
    float sum = 0.f;
#pragma unroll
    for (int i = 0; i < Keys::kSharedRows; ++i) {
      sum += references_.exponential(scores[Keys::shared_element(segment, i, row)], row);
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

  RowReferences references_;
  int visible_[2];
};

/// The same for the keys themselves, 128 at a time: all lanes of a quad share both blocks.
template <>
class BlockMasses<1, 1> {
 public:
  using Keys = PooledKeys<1>;
  static constexpr int kRows = Keys::kTileRows;
  using Scores = float[kRows / 2];

  __device__ __forceinline__ BlockMasses(float scale_log2, const int (&visible)[2])
      : references_(scale_log2), visible_{visible[0], visible[1]} {}

  __device__ __forceinline__ void mask(Scores& scores, int first_block) const {
#pragma unroll
    for (int i = 0; i < kRows / 2; ++i) {
      const int key = first_block * kSelectionBlockKeys + i / 4 * 8 + 2 * lane() + i % 2;
      if (key >= visible_[i / 2 % 2]) scores[i] = -INFINITY;
    }
  }

  __device__ __forceinline__ RowReferences& references() { return references_; }

  template <class Rows>
  __device__ __forceinline__ void put(const Rows& rows, const Scores& scores,
                                      int first_block) const {
    constexpr int kBlockElements = kSelectionBlockKeys / 2;
#pragma unroll
    for (int row = 0; row < 2; ++row) {
      float masses[2] = {};
#pragma unroll
      for (int i = 2 * row; i < kRows / 2; i += 4) {
        float& mass = masses[i / kBlockElements];
        mass += references_.exponential(scores[i], row);
        mass += references_.exponential(scores[i + 1], row);
      }
      const uint32_t pair = pack_bf16(quad_sum(masses[0]), quad_sum(masses[1]));
      if (lane() == 0) rows.put_pair(row, first_block, pair);
    }
  }

 private:
  static __device__ __forceinline__ int lane() { return static_cast<int>(threadIdx.x) % 4; }

  RowReferences references_;
  int visible_[2];
};

}  // namespace longview::attention
