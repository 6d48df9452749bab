// Two neighbouring bf16 in one word.
#pragma once

#include <cuda_bf16.h>

#include <cstdint>

namespace longview::gemm {

__device__ __forceinline__ uint32_t to_bf16_pair(float low, float high) {
  const __nv_bfloat162 pair = __floats2bfloat162_rn(low, high);
  return *reinterpret_cast<const uint32_t*>(&pair);
}

__device__ __forceinline__ float2 from_bf16_pair(uint32_t pair) {
  return {__uint_as_float(pair << 16), __uint_as_float(pair & 0xFFFF0000u)};
}

}  // namespace longview::gemm
