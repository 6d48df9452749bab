// Matrix products of a transformer's linear layers on the current CUDA device.
#pragma once

#include <cuda_runtime_api.h>

#include <optional>

#include "gemm/params.h"
#include "gemm/sm90/launch.h"

namespace longview::gemm {

/// Runs products on the device that was current when it was made, on any stream.
class Gemm {
 public:
  /// @throws CudaError where there is no usable device.
  /// @throws std::runtime_error below compute capability 8.0.
  explicit Gemm(GemmKernel kernel = GemmKernel::kFastest);

  /// Enqueues one product on `stream`. Results are bitwise repeatable on the same device.
  /// @throws std::invalid_argument for a shape or pointer outside the limits of GemmParams.
  /// @throws CudaError when the launch fails.
  void run(const GemmParams& params, cudaStream_t stream) const;

 private:
  std::optional<sm90::GemmDevice> hopper_;
};

}  // namespace longview::gemm
