#include "attention/dense/api.h"

#include <stdexcept>
#include <string>

#include "attention/dense/checks.h"
#include "attention/dense/portable/launch.h"
#include "common/device.h"

namespace longview::attention {

std::optional<sm90::PrefillDevice> hopper_device(PrefillKernel kernel) {
  const int major = device_attribute(cudaDevAttrComputeCapabilityMajor);
  const int minor = device_attribute(cudaDevAttrComputeCapabilityMinor);
  if (major < 8) {
    throw std::runtime_error("prefill attention: no kernel for compute capability " +
                             std::to_string(major) + "." + std::to_string(minor));
  }
  if (kernel == PrefillKernel::kPortable || major != 9 || minor != 0) return std::nullopt;
  return sm90::make_prefill_device();
}

DensePrefill::DensePrefill(PrefillKernel kernel) : hopper_(hopper_device(kernel)) {}

void DensePrefill::run(const DensePrefillParams& params, cudaStream_t stream) const {
  check_prefill(Checks("dense prefill"), params);
  if (params.q_len == 0) return;
  if (hopper_) {
    sm90::launch_dense_prefill(params, *hopper_, stream);
  } else {
    portable::launch_dense_prefill(params, stream);
  }
}

}  // namespace longview::attention
