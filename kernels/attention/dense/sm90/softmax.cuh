// Online softmax over score tiles held in wgmma accumulators (layout: common/sm90/wgmma.cuh).
#pragma once

#include <cuda_bf16.h>

#include <cstdint>

namespace longview::attention::sm90 {

/// 2^x; exactly 0 for -infinity.
__device__ __forceinline__ float exp2_fast(float x) {
  float y;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
}

/// Two floats rounded to bf16, `low` in the low half.
__device__ __forceinline__ uint32_t pack_bf16(float low, float high) {
  uint32_t packed;
  asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(packed) : "f"(high), "f"(low));
  return packed;
}

/// The four lanes that share a row.
__device__ __forceinline__ float quad_max(float x) {
  x = fmaxf(x, __shfl_xor_sync(0xffffffff, x, 1));
  return fmaxf(x, __shfl_xor_sync(0xffffffff, x, 2));
}

__device__ __forceinline__ float quad_sum(float x) {
  x += __shfl_xor_sync(0xffffffff, x, 1);
  return x + __shfl_xor_sync(0xffffffff, x, 2);
}

/// Softmax of the two rows of a thread, tile by tile: row r holds elements 4 * j + 2 * r + {0, 1}.
class RowSoftmax {
 public:
  /// Takes a tile's raw scores into the maximum of `row`. With kMayBeEmpty the row may have seen no
  /// key yet.
  template <bool kMayBeEmpty, int kCount>
  __device__ __forceinline__ void find_maximum(int row, const float (&scores)[kCount],
                                               float scale_log2) {
    float maximum = maximum_[row];
#pragma unroll
    for (int i = 2 * row; i < kCount; i += 4) {
      maximum = fmaxf(maximum, fmaxf(scores[i], scores[i + 1]));
    }
    maximum = quad_max(maximum);
    shift_[row] = kMayBeEmpty && maximum == -INFINITY ? 0.f : maximum * scale_log2;
    rescale_[row] = exp2_fast(maximum_[row] * scale_log2 - shift_[row]);
    maximum_[row] = maximum;
    sum_[row] *= rescale_[row];
  }

  /// Turns the raw scores of `row` into probabilities relative to its maximum.
  template <int kCount>
  __device__ __forceinline__ void exponentiate(int row, float (&scores)[kCount], float scale_log2) {
#pragma unroll
    for (int i = 2 * row; i < kCount; i += 4) {
      scores[i] = exp2_fast(fmaf(scores[i], scale_log2, -shift_[row]));
      scores[i + 1] = exp2_fast(fmaf(scores[i + 1], scale_log2, -shift_[row]));
      sum_[row] += scores[i];
      sum_[row] += scores[i + 1];
    }
  }

  /// Factor that brings what was accumulated before the last tile to the new maximum.
  __device__ __forceinline__ float rescale(int row) const { return rescale_[row]; }

  /// 1 / sum over the whole row.
  __device__ __forceinline__ float inverse_sum(int row) const { return 1.f / quad_sum(sum_[row]); }

 private:
  float maximum_[2] = {-INFINITY, -INFINITY};  // of raw scores
  float shift_[2] = {0.f, 0.f};                // the maximum, scaled
  float sum_[2] = {0.f, 0.f};                  // of this lane's columns only
  float rescale_[2] = {1.f, 1.f};
};

}  // namespace longview::attention::sm90
