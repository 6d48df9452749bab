// Matrix times vector on the current CUDA device.
//
// From compute capability 9.0 on, kernels are launched programmatically (cudaLaunchAttribute-
// ProgrammaticStreamSerialization): each starts fetching its weights while the kernel before it in
// the stream still runs, and waits for that kernel before it reads anything else. So weights, norm
// weights and biases must not be written by work that is still running in the stream.
#pragma once

#include <cuda_runtime_api.h>

#include "decoder/ops/gemv/params.h"

namespace longview::decoder {

/// @throws std::invalid_argument for a shape or pointer outside the limits of GemvParams.
/// @throws CudaError when the launch fails.
void gemv(const GemvParams& params, cudaStream_t stream);

/// @throws std::invalid_argument for a shape or pointer outside the limits of SwigluGemvParams.
/// @throws CudaError when the launch fails.
void swiglu_gemv(const SwigluGemvParams& params, cudaStream_t stream);

/// @throws std::invalid_argument for a shape or pointer outside the limits of QkvGemvParams.
/// @throws CudaError when the launch fails.
void qkv_gemv(const QkvGemvParams& params, cudaStream_t stream);

}  // namespace longview::decoder
