#include "gemm/sm90/launch.h"

#include "common/device.h"
#include "gemm/sm90/dispatch.cuh"

namespace longview::gemm::sm90 {

GemmDevice make_gemm_device() {
  return {TensorMapEncoder(), device_attribute(cudaDevAttrMultiProcessorCount)};
}

void launch_gemm(const Product& product, const GemmDevice& device, cudaStream_t stream) {
  dispatch<Bf16>(product, device, stream);
}

}  // namespace longview::gemm::sm90
