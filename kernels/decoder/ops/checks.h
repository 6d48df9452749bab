// Checks that the decoder's operations make before they launch.
#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>

namespace longview::decoder {

/// Refuses what does not hold, in the name of one operation.
class Checks {
 public:
  explicit Checks(const char* operation) : operation_(operation) {}

  /// @throws std::invalid_argument with `message` unless `holds`.
  void require(bool holds, const std::string& message) const {
    if (!holds) throw std::invalid_argument(std::string(operation_) + ": " + message);
  }

  /// @throws std::invalid_argument where `pointer` is null or not aligned.
  void require_pointer(const void* pointer, const char* name, int alignment = 16) const {
    require(pointer != nullptr, std::string(name) + " is null");
    require(reinterpret_cast<uintptr_t>(pointer) % alignment == 0,
            std::string(name) + " is not aligned to " + std::to_string(alignment) + " bytes");
  }

 private:
  const char* operation_;
};

}  // namespace longview::decoder
