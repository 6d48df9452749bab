// Attention of one warp for one token: up to eight query heads of a KV head against tiles of keys
// and values in shared memory, by mma.sync. The heads are the columns of both products: keys times
// queries, then values (transposed) times probabilities.
#pragma once

#include <cmath>

#include "attention/quad.cuh"
#include "common/sm80/mma.cuh"

namespace longview::attention {

/// Lane l holds two heads, 2 * (l % 4) + {0, 1}; of every 8 x 8 block of scores it has the key l /
/// 4, of every block of the output the column l / 4.
template <int kHeadDim, int kKeys>
class GroupAttention {
 public:
  using Tile = sm80::SwizzledTile<kHeadDim>;
  static constexpr int kMaxHeads = 8;

  /// Reads head l / 4 for lane l; where `head` is null, it counts as zeros.
  __device__ __forceinline__ void load_query(const uint16_t* head) {
#pragma unroll
    for (int i = 0; i < kHeadDim / 8; ++i) {
      const int column = 8 * i + lane() % 4 * 2;
      query_[i] = head == nullptr ? 0 : *reinterpret_cast<const uint32_t*>(head + column);
    }
  }

  __device__ __forceinline__ void score(Tile keys) {
#pragma unroll
    for (float& score : scores_) score = 0.f;
#pragma unroll
    for (int k = 0; k < kHeadDim / kDepth; ++k) {
#pragma unroll
      for (int m = 0; m < kKeys / 16; ++m) {
        uint32_t a[4];
        sm80::load_matrices(a, keys.piece(16 * m + lane() % 16, 2 * k + lane() / 16));
        sm80::multiply_add(scores_ + 4 * m, a, query_[2 * k], query_[2 * k + 1]);
      }
    }
  }

  /// Hides keys from `end` on; the tile begins at key `start`.
  __device__ __forceinline__ void mask(int start, int end) {
#pragma unroll
    for (int i = 0; i < kKeys / 4; ++i) {
      if (start + i / 2 * 8 + lane() / 4 >= end) scores_[i] = -INFINITY;
    }
  }

  /// Turns the scores into probabilities and brings the output so far to their maximum. Each tile
  /// has a visible key.
  __device__ __forceinline__ void soften(float scale_log2) {
#pragma unroll
    for (int head = 0; head < 2; ++head) {
      float maximum = maximum_[head];
#pragma unroll
      for (int i = head; i < kKeys / 4; i += 2) maximum = fmaxf(maximum, scores_[i] * scale_log2);
#pragma unroll
      for (int step = 4; step <= 16; step *= 2) {
        maximum = fmaxf(maximum, __shfl_xor_sync(0xffffffff, maximum, step));
      }
      const float rescale = exp2_fast(maximum_[head] - maximum);
      maximum_[head] = maximum;
      sum_[head] *= rescale;
#pragma unroll
      for (int i = head; i < kHeadDim / 4; i += 2) output_[i] *= rescale;
#pragma unroll
      for (int i = head; i < kKeys / 4; i += 2) {
        scores_[i] = exp2_fast(fmaf(scores_[i], scale_log2, -maximum));
        sum_[head] += scores_[i];
      }
    }
  }

  /// output += P V.
  __device__ __forceinline__ void accumulate(Tile values) {
#pragma unroll
    for (int k = 0; k < kKeys / kDepth; ++k) {
      const uint32_t low = transposed(pack_bf16(scores_[4 * k], scores_[4 * k + 1]));
      const uint32_t high = transposed(pack_bf16(scores_[4 * k + 2], scores_[4 * k + 3]));
#pragma unroll
      for (int m = 0; m < kHeadDim / 16; ++m) {
        uint32_t a[4];
        const int key = kDepth * k + lane() / 16 * 8 + lane() % 8;
        sm80::load_matrices_transposed(a, values.piece(key, 2 * m + lane() / 8 % 2));
        sm80::multiply_add(output_ + 4 * m, a, low, high);
      }
    }
  }

  /// Element 2 * j + h: column 8 * j + l / 4 of the lane's head h; not divided by the sum.
  __device__ __forceinline__ const float (&output() const)[kHeadDim / 4] { return output_; }

  /// Largest score of the lane's head, times the scale; -infinity before the first tile.
  __device__ __forceinline__ float maximum(int head) const { return maximum_[head]; }

  /// Sum of the probabilities of the lane's head.
  __device__ __forceinline__ float sum(int head) const {
    float sum = sum_[head];
#pragma unroll
    for (int step = 4; step <= 16; step *= 2) sum += __shfl_xor_sync(0xffffffff, sum, step);
    return sum;
  }

 private:
  static constexpr int kDepth = 16;  // of one product

  __device__ __forceinline__ static int lane() { return static_cast<int>(threadIdx.x) % 32; }

  /// An 8 x 8 block of bf16, transposed.
  __device__ __forceinline__ static uint32_t transposed(uint32_t block) {
    uint32_t result;
    asm volatile("movmatrix.sync.aligned.m8n8.trans.b16 %0, %1;" : "=r"(result) : "r"(block));
    return result;
  }

  uint32_t query_[kHeadDim / 8];
  float scores_[kKeys / 4];  // of one tile; probabilities after soften()
  float output_[kHeadDim / 4] = {};
  float maximum_[2] = {-INFINITY, -INFINITY};
  float sum_[2] = {0.f, 0.f};  // of the lane's keys only
};

}  // namespace longview::attention
