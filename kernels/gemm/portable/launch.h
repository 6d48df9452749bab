// Launches of the products for every architecture: bf16 from compute capability 8.0 on, e4m3 from 8.9.
#pragma once

#include <cuda_runtime_api.h>

#include "gemm/product.h"

namespace longview::gemm::portable {

/// `product` has been validated, and there is at least one token.
/// @throws CudaError when the launch fails.
void launch_gemm(const Product& product, cudaStream_t stream);

/// Likewise.
void launch_fp8_gemm(const Product& product, cudaStream_t stream);

}  // namespace longview::gemm::portable
