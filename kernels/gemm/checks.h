// Checks of what callers pass to the products.
#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>

#include "gemm/params.h"

namespace longview::gemm {

/// Refuses by std::invalid_argument, in the name of `operation`.
class Checks {
 public:
  explicit Checks(const char* operation) : operation_(operation) {}

  void require(bool holds, const std::string& message) const {
    if (!holds) throw std::invalid_argument(std::string(operation_) + ": " + message);
  }

  void require_tensor(const void* pointer, const char* name, int alignment = 16) const {
    require(pointer != nullptr, std::string(name) + " is null");
    require(reinterpret_cast<uintptr_t>(pointer) % alignment == 0,
            std::string(name) + " is not aligned to " + std::to_string(alignment) + " bytes");
  }

  void require_features(int features, int multiple, const char* name) const {
    require(features > 0 && features % multiple == 0,
            std::string(name) + " is " + std::to_string(features) + ", not a positive multiple of " +
                std::to_string(multiple));
  }

  /// What the parameters of products of every type have in common. False when there is nothing to do.
  template <class Params>
  bool require_product(const Params& params) const {
    const bool is_swiglu = params.epilogue == Epilogue::kSwiglu;
    require(params.tokens >= 0, std::to_string(params.tokens) + " tokens");
    require_features(params.in_features, kFeatureMultiple, "in_features");
    require_features(params.out_features, is_swiglu ? 2 * kFeatureMultiple : kFeatureMultiple,
                     "out_features");
    if (params.tokens == 0) return false;
    require_tensor(params.activations, "activations");
    require_tensor(params.weights, "weights");
    require_tensor(params.output, "output");
    if (params.epilogue == Epilogue::kBias) require_tensor(params.bias, "bias");
    if (params.epilogue == Epilogue::kResidual) require_tensor(params.residual, "residual");
    return true;
  }

 private:
  const char* operation_;
};

}  // namespace longview::gemm
