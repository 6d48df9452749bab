// Matrix fragments from and into shared memory (ldmatrix, and stmatrix of sm_90).
#pragma once

#include <cstdint>

namespace longview::sm90 {

/// Stores four 8 x 8 matrices of bf16. Lane l holds in `words[m]` the elements 2 * (l % 4) + {0, 1}
/// of row l / 4 of matrix m; lanes 8 m to 8 m + 7 give the addresses of the rows of matrix m.
__device__ __forceinline__ void store_matrices(uint32_t row_address, const uint32_t (&words)[4]) {
  asm volatile("stmatrix.sync.aligned.m8n8.x4.shared.b16 [%0], {%1, %2, %3, %4};" ::"r"(row_address),
               "r"(words[0]), "r"(words[1]), "r"(words[2]), "r"(words[3])
               : "memory");
}

/// Loads what store_matrices() with the same address would have stored.
__device__ __forceinline__ void load_matrices(uint32_t row_address, uint32_t (&words)[4]) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(words[0]), "=r"(words[1]), "=r"(words[2]), "=r"(words[3])
               : "r"(row_address)
               : "memory");
}

}  // namespace longview::sm90
