// Dense causal prefill attention on the current CUDA device.
#pragma once

#include <cuda_runtime_api.h>

#include <optional>

#include "attention/dense/params.h"
#include "attention/dense/sm90/launch.h"

namespace longview::attention {

/// Which kernel a DensePrefill runs. Tests run the portable one where a faster one exists, too.
enum class PrefillKernel { kFastest, kPortable };

/// What the kernels for sm_90a need of the current device; none where the portable ones run.
/// @throws CudaError where there is no usable device.
/// @throws std::runtime_error where the device's compute capability is below 8.0.
std::optional<sm90::PrefillDevice> hopper_device(PrefillKernel kernel);

/// Runs dense prefill attention on the device that was current when it was made: with the kernel
/// for sm_90a on Hopper, with the portable one elsewhere. Calls on one instance must follow one
/// another: one stream at a time.
class DensePrefill {
 public:
  /// @throws CudaError where there is no usable device.
  /// @throws std::runtime_error where the device's compute capability is below 8.0.
  explicit DensePrefill(PrefillKernel kernel = PrefillKernel::kFastest);

  /// Enqueues one call on `stream`. Results are bitwise repeatable on the same device; a row's bits
  /// do not depend on the call it is in: any split into chunks, and any block table, gives the
  /// same.
  /// @throws std::invalid_argument for a shape or pointer outside the limits of DensePrefillParams.
  /// @throws CudaError when the launch fails.
  void run(const DensePrefillParams& params, cudaStream_t stream) const;

 private:
  std::optional<sm90::PrefillDevice> hopper_;  // none: the portable kernel
};

}  // namespace longview::attention
