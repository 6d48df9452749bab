// GGUF block formats on the GPU.
#pragma once

#include <cuda_runtime_api.h>

#include "quant/params.h"

namespace longview::quant {

/// @throws std::invalid_argument where `weight` is not as WeightMatrix says; `name` is put before
/// it.
void validate(const WeightMatrix& weight, const char* name);

/// Enqueues the dequantisation of a matrix on `stream`.
/// @throws std::invalid_argument for a shape or pointer outside the limits of DequantizeParams.
/// @throws CudaError when the launch fails.
void dequantize(const DequantizeParams& params, cudaStream_t stream);

}  // namespace longview::quant
