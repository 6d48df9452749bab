#include "attention/dense/api.h"

#include <cmath>
#include <cstdint>
#include <stdexcept>
#include <string>

#include "common/device.h"

namespace longview::attention {

namespace {

constexpr int kMaxHeadsPerKvHead = 64;
constexpr uintptr_t kAlignment = 16;

void require(bool holds, const std::string& message) {
  if (!holds) throw std::invalid_argument("dense prefill: " + message);
}

void require_pointer(const void* pointer, const char* name) {
  require(pointer != nullptr, std::string(name) + " is null");
  require(reinterpret_cast<uintptr_t>(pointer) % kAlignment == 0,
          std::string(name) + " is not aligned to 16 bytes");
}

void validate(const DensePrefillParams& params) {
  require(params.head_dim == 64 || params.head_dim == 128,
          "head_dim " + std::to_string(params.head_dim) + " is not 64 or 128");
  require(params.num_kv_heads > 0 && params.num_heads > 0 &&
              params.num_heads % params.num_kv_heads == 0 &&
              params.num_heads / params.num_kv_heads <= kMaxHeadsPerKvHead,
          std::to_string(params.num_heads) + " heads over " + std::to_string(params.num_kv_heads) +
              " KV heads");
  require(
      params.q_len >= 0 && params.q_len <= params.kv_len,
      std::to_string(params.q_len) + " queries over " + std::to_string(params.kv_len) + " keys");
  require(params.softmax_scale > 0.f && std::isfinite(params.softmax_scale),
          "softmax_scale is not a positive number");
  if (params.q_len == 0) return;
  require_pointer(params.query, "query");
  require_pointer(params.key, "key");
  require_pointer(params.value, "value");
  require_pointer(params.output, "output");
}

sm90::PrefillDevice make_device() {
  const int major = device_attribute(cudaDevAttrComputeCapabilityMajor);
  const int minor = device_attribute(cudaDevAttrComputeCapabilityMinor);
  if (major != 9 || minor != 0) {
    throw std::runtime_error("dense prefill: no kernel for compute capability " +
                             std::to_string(major) + "." + std::to_string(minor));
  }
  return sm90::make_prefill_device();
}

}  // namespace

DensePrefill::DensePrefill() : device_(make_device()) {}

void DensePrefill::run(const DensePrefillParams& params, cudaStream_t stream) const {
  validate(params);
  if (params.q_len == 0) return;
  sm90::launch_dense_prefill(params, device_, stream);
}

}  // namespace longview::attention
