// Launch of the sm_90a product.
#pragma once

#include <cuda_runtime_api.h>

#include "common/tensor_map.h"
#include "gemm/product.h"

namespace longview::gemm::sm90 {

/// What launches need to know of the device.
struct GemmDevice {
  TensorMapEncoder encoder;
  int multiprocessors;
};

/// Of the current device.
/// @throws CudaError where there is no driver or device.
GemmDevice make_gemm_device();

/// `product` has been validated, and there is at least one token.
/// @throws CudaError when the launch fails.
void launch_gemm(const Product& product, const GemmDevice& device, cudaStream_t stream);

/// Likewise.
void launch_fp8_gemm(const Product& product, const GemmDevice& device, cudaStream_t stream);

}  // namespace longview::gemm::sm90
