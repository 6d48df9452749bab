// The SwiGLU of a gate and an up, in fp32.
#pragma once

namespace longview::gemm {

/// The quick division is good to 2 units in the last place, and 0 where the sigmoid is below 2^-126.
__device__ __forceinline__ float swiglu(float gate, float up) {
  return __fdividef(gate, 1.f + __expf(-gate)) * up;
}

}  // namespace longview::gemm
