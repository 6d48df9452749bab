// Launch of the rounding of rows to e4m3.
#pragma once

#include <cuda_runtime_api.h>

#include "gemm/fp8/params.h"

namespace longview::gemm {

/// `params` have been validated, and there is at least one row.
/// @throws CudaError when the launch fails.
void launch_quantize(const QuantizeParams& params, cudaStream_t stream);

}  // namespace longview::gemm
