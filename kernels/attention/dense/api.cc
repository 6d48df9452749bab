#include "attention/dense/api.h"

#include <stdexcept>
#include <string>

#include "attention/checks.h"
#include "attention/dense/portable/launch.h"
#include "common/device.h"
#include "common/kv_block.h"

namespace longview::attention {

namespace {

void validate(const DensePrefillParams& params) {
  const Checks checks("dense prefill");
  checks.require_heads(params.num_heads, params.num_kv_heads, params.head_dim);
  checks.require(
      params.q_len >= 0 && params.q_len <= params.kv_len,
      std::to_string(params.q_len) + " queries over " + std::to_string(params.kv_len) + " keys");
  checks.require_scale(params.softmax_scale);
  if (params.q_len == 0) return;
  checks.require_pointer(params.query, "query");
  checks.require_pointer(params.key, "key");
  checks.require_pointer(params.value, "value");
  checks.require_pointer(params.output, "output");
  if (params.block_table == nullptr) return;
  checks.require_aligned(params.block_table, "block_table", sizeof(int32_t));
  checks.require(params.pool_blocks >= kv_blocks(params.kv_len),
                 "a pool of " + std::to_string(params.pool_blocks) + " blocks for " +
                     std::to_string(params.kv_len) + " keys");
}

}  // namespace

DensePrefill::DensePrefill(PrefillKernel kernel) {
  const int major = device_attribute(cudaDevAttrComputeCapabilityMajor);
  const int minor = device_attribute(cudaDevAttrComputeCapabilityMinor);
  if (major < 8) {
    throw std::runtime_error("dense prefill: no kernel for compute capability " +
                             std::to_string(major) + "." + std::to_string(minor));
  }
  if (kernel == PrefillKernel::kFastest && major == 9 && minor == 0) {
    hopper_ = sm90::make_prefill_device();
  }
}

void DensePrefill::run(const DensePrefillParams& params, cudaStream_t stream) const {
  validate(params);
  if (params.q_len == 0) return;
  if (hopper_) {
    sm90::launch_dense_prefill(params, *hopper_, stream);
  } else {
    portable::launch_dense_prefill(params, stream);
  }
}

}  // namespace longview::attention
