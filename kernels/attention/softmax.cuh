// Online softmax over score tiles held in the accumulators of wgmma or mma.sync, which share their
// layout (common/sm90/wgmma.cuh, common/sm80/mma.cuh).
#pragma once

#include <cuda_runtime_api.h>

#include "attention/quad.cuh"

namespace longview::attention {

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

  /// Largest raw score of `row`; -infinity where it has seen no key.
  __device__ __forceinline__ float maximum(int row) const { return maximum_[row]; }

  /// Sum of the probabilities of `row`, over the whole quad.
  __device__ __forceinline__ float sum(int row) const { return quad_sum(sum_[row]); }

 private:
  float maximum_[2] = {-INFINITY, -INFINITY};  // of raw scores
  float shift_[2] = {0.f, 0.f};                // the maximum, scaled
  float sum_[2] = {0.f, 0.f};                  // of this lane's columns only
  float rescale_[2] = {1.f, 1.f};
};

}  // namespace longview::attention
