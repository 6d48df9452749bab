// Dense causal prefill attention on the current CUDA device.
#pragma once

#include <cuda_runtime_api.h>

#include "attention/dense/params.h"
#include "attention/dense/sm90/launch.h"

namespace longview::attention {

/// Runs dense prefill attention on the device that was current when it was made. Calls on one
/// instance must follow one another: one stream at a time.
class DensePrefill {
 public:
  /// @throws CudaError where there is no usable device.
  /// @throws std::runtime_error on a device of a kind that no kernel here is made for.
  DensePrefill();

  /// Enqueues one call on `stream`. Results are bitwise repeatable on the same device.
  /// @throws std::invalid_argument for a shape or pointer outside the limits of DensePrefillParams.
  /// @throws CudaError when the launch fails.
  void run(const DensePrefillParams& params, cudaStream_t stream) const;

 private:
  sm90::PrefillDevice device_;
};

}  // namespace longview::attention
