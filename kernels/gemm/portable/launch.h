// Launch of the product for every architecture from compute capability 8.0 on.
#pragma once

#include <cuda_runtime_api.h>

#include "gemm/params.h"

namespace longview::gemm::portable {

/// `params` have been validated, and there is at least one token.
/// @throws CudaError when the launch fails.
void launch_gemm(const GemmParams& params, cudaStream_t stream);

}  // namespace longview::gemm::portable
