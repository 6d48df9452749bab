// Arithmetic on the accumulators of matrix products, and exchange among the four lanes (a quad)
// that share their rows.
#pragma once

#include <cuda_bf16.h>

#include <cstdint>

namespace longview::attention {

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

/// Transposes a 4 x 4 matrix over the four lanes of a quad: lane t gives words[j] and gets the word
/// that lane j holds at t.
__device__ __forceinline__ void transpose_quad(uint32_t (&words)[4]) {
  const int lane = static_cast<int>(threadIdx.x) % 4;
#pragma unroll
  for (int step = 1; step <= 2; step *= 2) {
    const bool upper = lane & step;
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      if (i & step) continue;
      const uint32_t given = upper ? words[i] : words[i + step];
      const uint32_t taken = __shfl_xor_sync(0xffffffff, given, step);
      if (upper) {
        words[i] = taken;
      } else {
        words[i + step] = taken;
      }
    }
  }
}

/// Stores one row of output as bf16, in pieces of 16 bytes: the lanes of a quad exchange columns so
/// that each holds 8 neighbours. `row` is which of the thread's two rows; all lanes of a warp call,
/// those whose row does not exist with null.
template <int kHeadDim>
__device__ __forceinline__ void store_row(const float (&output)[kHeadDim / 2], int row,
                                          uint16_t* destination) {
  const int lane = static_cast<int>(threadIdx.x) % 4;
#pragma unroll
  for (int piece = 0; piece < kHeadDim / 32; ++piece) {
    uint32_t words[4];
#pragma unroll
    for (int j = 0; j < 4; ++j) {
      const float* pair = output + 16 * piece + 4 * j + 2 * row;
      words[j] = pack_bf16(pair[0], pair[1]);
    }
    transpose_quad(words);
    if (destination != nullptr) {
      *reinterpret_cast<uint4*>(destination + 32 * piece + 8 * lane) =
          make_uint4(words[0], words[1], words[2], words[3]);
    }
  }
}

}  // namespace longview::attention
