// Dealing one allocation out in regions.
#pragma once

#include <cstddef>

namespace longview::decoder {

constexpr size_t kRegionAlignment = 256;

/// Hands out offsets behind one another. Run first to learn the size, then over the memory.
class RegionCounter {
 public:
  /// Start of `bytes` bytes. Behind each region lie at least 16 bytes that may be read.
  size_t reserve(size_t bytes) {
    const size_t offset = size_bytes_;
    size_bytes_ += (bytes + 16 + kRegionAlignment - 1) / kRegionAlignment * kRegionAlignment;
    return offset;
  }

  size_t size_bytes() const { return size_bytes_; }

 private:
  size_t size_bytes_ = 0;
};

}  // namespace longview::decoder
