// Owner of page-locked host memory, which the device copies from and writes to without waiting.
#pragma once

#include <cstddef>
#include <utility>

#include "common/cuda_error.h"

namespace longview {

/// `count` elements, not initialised. The device can reach them at the same address.
template <class Element>
class PinnedBuffer {
 public:
  PinnedBuffer() = default;

  explicit PinnedBuffer(size_t count) : count_(count) {
    if (count == 0) return;
    LONGVIEW_CUDA(cudaHostAlloc(reinterpret_cast<void**>(&data_), count * sizeof(Element),
                                cudaHostAllocPortable | cudaHostAllocMapped));
  }

  PinnedBuffer(PinnedBuffer&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)), count_(std::exchange(other.count_, 0)) {}

  PinnedBuffer& operator=(PinnedBuffer&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(count_, other.count_);
    return *this;
  }

  ~PinnedBuffer() { cudaFreeHost(data_); }

  Element* data() const { return data_; }
  size_t count() const { return count_; }

 private:
  Element* data_ = nullptr;
  size_t count_ = 0;
};

}  // namespace longview
