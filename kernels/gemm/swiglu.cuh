// The SwiGLU of a gate and an up, in fp32.
#pragma once

namespace longview::gemm {

__device__ __forceinline__ float swiglu(float gate, float up) {
  return gate / (1.f + __expf(-gate)) * up;
}

}  // namespace longview::gemm
