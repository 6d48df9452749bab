// The decoder's small operations on the current CUDA device. Each call checks its parameters and
// enqueues one kernel on `stream`. A row's bits do not depend on the other rows of the call.
#pragma once

#include <cuda_runtime_api.h>

#include "decoder/ops/params.h"

namespace longview::decoder {

/// @throws std::invalid_argument for a shape or pointer outside the limits of EmbeddingParams.
/// @throws CudaError when the launch fails.
void embed(const EmbeddingParams& params, cudaStream_t stream);

/// @throws std::invalid_argument for a shape or pointer outside the limits of RmsNormParams.
/// @throws CudaError when the launch fails.
void rms_norm(const RmsNormParams& params, cudaStream_t stream);

/// @throws std::invalid_argument for a shape or pointer outside the limits of SwigluParams.
/// @throws CudaError when the launch fails.
void swiglu(const SwigluParams& params, cudaStream_t stream);

}  // namespace longview::decoder
