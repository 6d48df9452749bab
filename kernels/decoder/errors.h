// What the decoder refuses or gives up, by kind. CUDA failures are common/cuda_error.h's.
#pragma once

#include <cstddef>
#include <stdexcept>
#include <string>

namespace longview::decoder {

/// The model file does not hold what its description promises.
class ModelError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// What was asked for does not fit into the free memory of the device. Nothing was allocated.
class MemoryError : public std::runtime_error {
 public:
  MemoryError(const std::string& message, int fitting_tokens)
      : std::runtime_error(message), fitting_tokens_(fitting_tokens) {}

  /// The longest context that fits; 0 where not even the weights do.
  int fitting_tokens() const { return fitting_tokens_; }

 private:
  int fitting_tokens_;
};

/// The KV pool or the context has no room for more tokens.
class ContextError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// A result holds NaN or infinities: nothing sensible can be sampled.
class NumericError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// The caller asked to stop. The sequence is as it was before the call.
class CancelledError : public std::runtime_error {
 public:
  CancelledError() : std::runtime_error("cancelled") {}
};

}  // namespace longview::decoder
