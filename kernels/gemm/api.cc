#include "gemm/api.h"

#include <stdexcept>
#include <string>

#include "common/device.h"
#include "gemm/checks.h"
#include "gemm/portable/launch.h"

namespace longview::gemm {

Gemm::Gemm(GemmKernel kernel) {
  const int major = device_attribute(cudaDevAttrComputeCapabilityMajor);
  const int minor = device_attribute(cudaDevAttrComputeCapabilityMinor);
  if (major < 8) {
    throw std::runtime_error("gemm: no kernel for compute capability " + std::to_string(major) +
                             "." + std::to_string(minor));
  }
  if (kernel == GemmKernel::kFastest && major == 9 && minor == 0) {
    hopper_ = sm90::make_gemm_device();
  }
}

void Gemm::run(const GemmParams& params, cudaStream_t stream) const {
  if (!Checks("gemm").require_product(params)) return;
  if (hopper_) {
    sm90::launch_gemm(product_of(params), *hopper_, stream);
  } else {
    portable::launch_gemm(product_of(params), stream);
  }
}

}  // namespace longview::gemm
