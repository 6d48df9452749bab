// Kernels that overlap their start with the end of the kernel before them (from compute capability
// 9.0 on; before that, the same calls order kernels one after the other).
//
// A kernel launched so calls let_next_kernel_start() as soon as it runs, reads constants only, and
// calls wait_for_previous_kernel() in every thread before it reads or writes anything else. The
// wait ends when all of the previous kernel has ended, which itself waited for the one before it.
#pragma once

#include "common/cuda_error.h"
#include "common/device.h"

namespace longview {

__device__ inline void let_next_kernel_start() {
#if __CUDA_ARCH__ >= 900
  asm volatile("griddepcontrol.launch_dependents;" ::: "memory");
#endif
}

__device__ inline void wait_for_previous_kernel() {
#if __CUDA_ARCH__ >= 900
  asm volatile("griddepcontrol.wait;" ::: "memory");
#endif
}

/// Enqueues `kernel(arguments...)`.
/// @throws CudaError when the launch fails.
template <class... Parameters, class... Arguments>
void launch_programmatic(void (*kernel)(Parameters...), dim3 blocks, int threads,
                         size_t shared_bytes, cudaStream_t stream, const Arguments&... arguments) {
  cudaLaunchAttribute overlap{};
  overlap.id = cudaLaunchAttributeProgrammaticStreamSerialization;
  overlap.val.programmaticStreamSerializationAllowed = 1;
  cudaLaunchConfig_t config{};
  config.gridDim = blocks;
  config.blockDim = dim3(threads);
  config.dynamicSmemBytes = shared_bytes;
  config.stream = stream;
  config.attrs = &overlap;
  config.numAttrs = device_attribute(cudaDevAttrComputeCapabilityMajor) >= 9 ? 1 : 0;
  LONGVIEW_CUDA(cudaLaunchKernelEx(&config, kernel, Parameters(arguments)...));
}

}  // namespace longview
