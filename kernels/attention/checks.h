// Checks that the attention operations make before they launch.
#pragma once

#include <cmath>
#include <cstdint>
#include <stdexcept>
#include <string>

namespace longview::attention {

/// Refuses what does not hold, in the name of one operation.
class Checks {
 public:
  explicit constexpr Checks(const char* operation) : operation_(operation) {}

  /// @throws std::invalid_argument with `message` unless `holds`.
  void require(bool holds, const std::string& message) const {
    if (!holds) throw std::invalid_argument(std::string(operation_) + ": " + message);
  }

  /// @throws std::invalid_argument where `pointer` is null or not aligned.
  void require_pointer(const void* pointer, const char* name, int alignment = 16) const {
    require(pointer != nullptr, std::string(name) + " is null");
    require_aligned(pointer, name, alignment);
  }

  /// @throws std::invalid_argument where `pointer`, which may be null, is not aligned.
  void require_aligned(const void* pointer, const char* name, int alignment) const {
    require(reinterpret_cast<uintptr_t>(pointer) % alignment == 0,
            std::string(name) + " is not aligned to " + std::to_string(alignment) + " bytes");
  }

  /// @throws std::invalid_argument for heads that no attention kernel here takes.
  void require_heads(int num_heads, int num_kv_heads, int head_dim) const {
    constexpr int kMaxHeadsPerKvHead = 64;
    require(head_dim == 64 || head_dim == 128,
            "head_dim " + std::to_string(head_dim) + " is not 64 or 128");
    require(
        num_kv_heads > 0 && num_heads > 0 && num_heads % num_kv_heads == 0 &&
            num_heads / num_kv_heads <= kMaxHeadsPerKvHead,
        std::to_string(num_heads) + " heads over " + std::to_string(num_kv_heads) + " KV heads");
  }

  /// @throws std::invalid_argument for a scale that is not a positive number.
  void require_scale(float softmax_scale) const {
    require(softmax_scale > 0.f && std::isfinite(softmax_scale),
            "softmax_scale is not a positive number");
  }

 private:
  const char* operation_;
};

}  // namespace longview::attention
