// Matrix products of one warp (mma.sync) and the loads of their operands from shared memory.
//
// The accumulators of a 16 x 8 product: lane l holds row l / 4, columns 2 * (l % 4) + {0, 1} in
// elements 0 and 1, and the row 8 below in elements 2 and 3. Side by side, such products have the
// layout of wgmma's accumulators.
#pragma once

#include <cuda_runtime_api.h>

#include <cstdint>

#include "common/sm80/async_copy.cuh"

namespace longview::sm80 {

/// A tile of bf16 rows in shared memory. Pieces of 16 bytes change places within a row by its
/// number, so that eight rows of one column of pieces lie in eight different groups of banks.
template <int kColumns>
struct SwizzledTile {
  static constexpr int kPieces = kColumns / 8;
  static constexpr int kRowBytes = 2 * kColumns;
  static_assert(kPieces % 8 == 0, "a row holds less than the swizzle spans");

  uint32_t base;  // shared address, aligned to 128

  __device__ __forceinline__ uint32_t piece(int row, int column) const {
    return base + row * kRowBytes + ((column ^ (row & 7)) << 4);
  }
};

/// Four 8 x 8 matrices; lanes 8 m to 8 m + 7 give the addresses of the rows of matrix m. Lane l
/// gets of each the elements 2 * (l % 4) + {0, 1} of row l / 4.
__device__ __forceinline__ void load_matrices(uint32_t (&words)[4], uint32_t row_address) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(words[0]), "=r"(words[1]), "=r"(words[2]), "=r"(words[3])
               : "r"(row_address)
               : "memory");
}

/// The same, each matrix transposed.
__device__ __forceinline__ void load_matrices_transposed(uint32_t (&words)[4],
                                                         uint32_t row_address) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(words[0]), "=r"(words[1]), "=r"(words[2]), "=r"(words[3])
               : "r"(row_address)
               : "memory");
}

/// accumulators[0..3] += A (16 x 16, row-major) * B (16 x 8, column-major); bf16 in, fp32 out.
__device__ __forceinline__ void multiply_add(float* accumulators, const uint32_t* a, uint32_t b0,
                                             uint32_t b1) {
  asm volatile(
      "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, "
      "{%8, %9}, {%0, %1, %2, %3};"
      : "+f"(accumulators[0]), "+f"(accumulators[1]), "+f"(accumulators[2]), "+f"(accumulators[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}

/// accumulators[0..3] += A (16 x 32, row-major) * B (32 x 8, column-major); e4m3 in, fp32 out. Operands
/// lie as those of multiply_add() do, a pair of e4m3 in the place of one bf16. Compute capability 8.9.
__device__ __forceinline__ void multiply_add_e4m3(float* accumulators, const uint32_t* a,
                                                  uint32_t b0, uint32_t b1) {
  asm volatile(
      "mma.sync.aligned.m16n8k32.row.col.f32.e4m3.e4m3.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, "
      "{%8, %9}, {%0, %1, %2, %3};"
      : "+f"(accumulators[0]), "+f"(accumulators[1]), "+f"(accumulators[2]), "+f"(accumulators[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}

}  // namespace longview::sm80
