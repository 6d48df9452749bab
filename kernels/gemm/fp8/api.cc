#include "gemm/fp8/api.h"

#include <stdexcept>
#include <string>

#include "common/device.h"
#include "gemm/checks.h"
#include "gemm/fp8/quantize.h"
#include "gemm/portable/launch.h"

namespace longview::gemm {

namespace {

/// Of the current device: 90 for 9.0.
int compute_capability() {
  return 10 * device_attribute(cudaDevAttrComputeCapabilityMajor) +
         device_attribute(cudaDevAttrComputeCapabilityMinor);
}

}  // namespace

bool Fp8Gemm::is_available() { return compute_capability() >= 89; }

Fp8Gemm::Fp8Gemm(GemmKernel kernel) {
  if (!is_available()) {
    throw std::runtime_error("fp8 gemm: needs compute capability 8.9, and the device has " +
                             std::to_string(compute_capability() / 10) + "." +
                             std::to_string(compute_capability() % 10) + "; use bf16");
  }
  if (kernel == GemmKernel::kFastest && compute_capability() == 90) {
    hopper_ = sm90::make_gemm_device();
  }
}

void Fp8Gemm::quantize(const QuantizeParams& params, cudaStream_t stream) const {
  const Checks checks("fp8 rounding");
  checks.require(params.rows >= 0, std::to_string(params.rows) + " rows");
  checks.require_features(params.features, kFeatureMultiple, "features");
  checks.require(params.features <= kMaxQuantizedFeatures,
                 "features is " + std::to_string(params.features) + ", more than " +
                     std::to_string(kMaxQuantizedFeatures));
  checks.require(params.norm_weight == nullptr || params.norm_epsilon > 0.f,
                 "norm_epsilon is not positive");
  if (params.rows == 0) return;
  checks.require_tensor(params.input, "input");
  checks.require_tensor(params.output, "output");
  checks.require_tensor(params.scales, "scales", alignof(float));
  if (params.norm_weight != nullptr) checks.require_tensor(params.norm_weight, "norm_weight");
  launch_quantize(params, stream);
}

void Fp8Gemm::run(const Fp8GemmParams& params, cudaStream_t stream) const {
  const Checks checks("fp8 gemm");
  if (!checks.require_product(params)) return;
  checks.require_tensor(params.activation_scales, "activation_scales", alignof(float));
  checks.require_tensor(params.weight_scales, "weight_scales");
  if (hopper_) {
    sm90::launch_fp8_gemm(product_of(params), *hopper_, stream);
  } else {
    portable::launch_fp8_gemm(product_of(params), stream);
  }
}

}  // namespace longview::gemm
