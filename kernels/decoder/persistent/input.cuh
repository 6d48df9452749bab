// The input vector of a product, from other multiprocessors to shared memory as bf16, normed on the
// way.
#pragma once

#include "decoder/ops/gemv/input.cuh"
#include "decoder/persistent/exchange.cuh"
#include "decoder/persistent/step_context.cuh"

namespace longview::decoder {

/// The sum over the block's threads, in a fixed order, in every thread.
__device__ inline float sum_of_block(float value) {
  __shared__ float warp_sums[PersistentConfig::kWarps];
  const float of_warp = warp_sum(value);
  if (threadIdx.x % kWarpThreads == 0) warp_sums[threadIdx.x / kWarpThreads] = of_warp;
  sync_warps();
  float sum = 0.f;
#pragma unroll
  for (const float part : warp_sums) sum += part;
  return sum;
}

/// An input vector in shared memory as mma.sync takes it: of each step of 16 columns an element for
/// each quad of lanes, with the two columns 2 q and 2 q + 1 of the first eight, then of the others.
struct StagedInput {
  uint2* steps;  // [columns / 16, 4]

  __device__ void put(int vector, const uint4& eight) const {
    uint32_t* to = words(vector);
    to[0] = eight.x;
    to[2] = eight.y;
    to[4] = eight.z;
    to[6] = eight.w;
  }

  __device__ uint4 get(int vector) const {
    const uint32_t* from = words(vector);
    return {from[0], from[2], from[4], from[6]};
  }

 private:
  __device__ uint32_t* words(int vector) const {
    return reinterpret_cast<uint32_t*>(steps) + vector / 2 * 8 + vector % 2;
  }
};

/// A thread's share of an input vector, and of the weights of its norm, which are loaded before the
/// input is there.
class InputStage {
 public:
  static constexpr int kThreads = PersistentConfig::kThreads;

  /// `norm_weight` is null where there is no norm.
  __device__ InputStage(const float* norm_weight, float epsilon, int columns)
      : columns_(columns), epsilon_(epsilon), norm_weight_(norm_weight) {
    if (norm_weight == nullptr || vector() >= columns / kInputVector) return;
    low_ = reinterpret_cast<const float4*>(norm_weight)[2 * vector()];
    high_ = reinterpret_cast<const float4*>(norm_weight)[2 * vector() + 1];
  }

  /// Fills `staged` [columns]; all warps that compute take part, and may read all of it afterwards.
  __device__ void run(const TaggedHalf* values, uint32_t tag, const StagedInput& staged) const {
    const int vectors = columns_ / kInputVector;
    float sum = 0.f;
#pragma unroll 1
    for (int first = vector(); first < vectors; first += kAtOnce * kThreads) {
      uint4 eights[kAtOnce];
      receive(values, tag, first, eights);
#pragma unroll
      for (int i = 0; i < kAtOnce; ++i) {
        if (first + i * kThreads >= vectors) continue;
        staged.put(first + i * kThreads, eights[i]);
        sum += squares(eights[i]);
      }
    }
    finish(sum, staged);
  }

  /// The same with values that were there when the kernel started.
  __device__ void run(const void* values, const StagedInput& staged) const {
    float sum = 0.f;
    for (int i = vector(); i < columns_ / kInputVector; i += kThreads) {
      const uint4 eight = static_cast<const uint4*>(values)[i];
      staged.put(i, eight);
      sum += squares(eight);
    }
    finish(sum, staged);
  }

 private:
  static constexpr int kAtOnce = 5;  // vectors of a thread under way

  static __device__ int vector() { return static_cast<int>(threadIdx.x); }

  /// Vectors `first`, + kThreads, ..., as far as there are such.
  __device__ void receive(const TaggedHalf* values, uint32_t tag, int first,
                          uint4 (&eights)[kAtOnce]) const {
    const int vectors = columns_ / kInputVector;
    const TaggedHalf* from = values + first * kInputVector;
    bool is_complete;
    do {
      is_complete = true;
#pragma unroll
      for (int i = 0; i < kAtOnce; ++i) {
        if (first + i * kThreads >= vectors) continue;
        const uint4 low = peek_four(from + i * kThreads * kInputVector);
        const uint4 high = peek_four(from + i * kThreads * kInputVector + 4);
        is_complete = is_complete && has_tag(low, tag) && has_tag(high, tag);
        eights[i] = {packed(low.x, low.y), packed(low.z, low.w), packed(high.x, high.y),
                     packed(high.z, high.w)};
      }
    } while (!is_complete);
  }

  __device__ void finish(float sum, const StagedInput& staged) const {
    if (norm_weight_ != nullptr) norm(sum_of_block(sum), columns_ / kInputVector, staged);
    sync_warps();
  }

  __device__ void norm(float sum, int vectors, const StagedInput& staged) const {
    const float scale = rsqrtf(sum / columns_ + epsilon_);
    float4 low = low_;
    float4 high = high_;
    for (int i = vector(); i < vectors;) {
      const uint4 eight = staged.get(i);
      staged.put(i,
                 {normed(eight.x, scale, low.x, low.y), normed(eight.y, scale, low.z, low.w),
                  normed(eight.z, scale, high.x, high.y), normed(eight.w, scale, high.z, high.w)});
      i += kThreads;
      if (i >= vectors) break;
      low = reinterpret_cast<const float4*>(norm_weight_)[2 * i];
      high = reinterpret_cast<const float4*>(norm_weight_)[2 * i + 1];
    }
  }

  int columns_;
  float epsilon_;
  const float* norm_weight_;
  float4 low_{};
  float4 high_{};
};

/// Asks for the block's part of `count` floats, which all blocks need soon, in the second-level
/// cache.
__device__ inline void prefetch_part(const float* values, int count) {
  constexpr int kSectorFloats = 8;
  if (values == nullptr) return;
  const int first = static_cast<int>(threadIdx.x * gridDim.x + blockIdx.x) * kSectorFloats;
  const int step = static_cast<int>(PersistentConfig::kThreads * gridDim.x) * kSectorFloats;
  for (int i = first; i < count; i += step) prefetch_to_l2(values + i);
}

}  // namespace longview::decoder
