#include "gemm/api.h"

#include <cstdint>
#include <stdexcept>
#include <string>

#include "common/device.h"
#include "gemm/portable/launch.h"

namespace longview::gemm {

namespace {

constexpr int kAlignment = 16;

void require(bool holds, const std::string& message) {
  if (!holds) throw std::invalid_argument("gemm: " + message);
}

void require_tensor(const void* pointer, const char* name) {
  require(pointer != nullptr, std::string(name) + " is null");
  require(reinterpret_cast<uintptr_t>(pointer) % kAlignment == 0,
          std::string(name) + " is not aligned to 16 bytes");
}

void require_features(int features, int multiple, const char* name) {
  require(features > 0 && features % multiple == 0,
          std::string(name) + " is " + std::to_string(features) + ", not a positive multiple of " +
              std::to_string(multiple));
}

void validate(const GemmParams& params) {
  const bool is_swiglu = params.epilogue == Epilogue::kSwiglu;
  require(params.tokens >= 0, std::to_string(params.tokens) + " tokens");
  require_features(params.in_features, kFeatureMultiple, "in_features");
  require_features(params.out_features, is_swiglu ? 2 * kFeatureMultiple : kFeatureMultiple,
                   "out_features");
  if (params.tokens == 0) return;
  require_tensor(params.activations, "activations");
  require_tensor(params.weights, "weights");
  require_tensor(params.output, "output");
  if (params.epilogue == Epilogue::kBias) require_tensor(params.bias, "bias");
  if (params.epilogue == Epilogue::kResidual) require_tensor(params.residual, "residual");
}

}  // namespace

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
  validate(params);
  if (params.tokens == 0) return;
  if (hopper_) {
    sm90::launch_gemm(params, *hopper_, stream);
  } else {
    portable::launch_gemm(params, stream);
  }
}

}  // namespace longview::gemm
