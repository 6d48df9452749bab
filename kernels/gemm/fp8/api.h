// Matrix products in fp8 (e4m3) on the current CUDA device: half the bytes and twice the rate of bf16, for
// operands that are rounded to 3 bits behind the leading one.
#pragma once

#include <cuda_runtime_api.h>

#include <optional>

#include "gemm/fp8/params.h"
#include "gemm/sm90/launch.h"

namespace longview::gemm {

/// Runs products on the device that was current when it was made, on any stream.
class Fp8Gemm {
 public:
  /// Whether the current device multiplies e4m3: from compute capability 8.9 on.
  /// @throws CudaError where there is no device.
  static bool is_available();

  /// @throws CudaError where there is no usable device.
  /// @throws std::runtime_error where is_available() is false.
  explicit Fp8Gemm(GemmKernel kernel = GemmKernel::kFastest);

  /// Enqueues the rounding of rows: of activations by token, of weights by output feature.
  /// @throws std::invalid_argument for a shape or pointer outside the limits of QuantizeParams.
  /// @throws CudaError when the launch fails.
  void quantize(const QuantizeParams& params, cudaStream_t stream) const;

  /// Enqueues one product. Results are bitwise repeatable on the same device, and each output row
  /// depends on its own activations alone.
  /// @throws std::invalid_argument for a shape or pointer outside the limits of Fp8GemmParams.
  /// @throws CudaError when the launch fails.
  void run(const Fp8GemmParams& params, cudaStream_t stream) const;

 private:
  std::optional<sm90::GemmDevice> hopper_;
};

}  // namespace longview::gemm
