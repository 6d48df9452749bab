// Owners of CUDA resources. Each frees what it holds; none can be copied.
#pragma once

#include <cstddef>
#include <utility>

#include "common/cuda_error.h"

namespace longview {

/// `count` elements of device memory, not initialised.
template <class Element>
class DeviceBuffer {
 public:
  DeviceBuffer() = default;

  explicit DeviceBuffer(size_t count) : count_(count) {
    if (count > 0) LONGVIEW_CUDA(cudaMalloc(reinterpret_cast<void**>(&data_), size_bytes()));
  }

  DeviceBuffer(DeviceBuffer&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)), count_(std::exchange(other.count_, 0)) {}

  DeviceBuffer& operator=(DeviceBuffer&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(count_, other.count_);
    return *this;
  }

  ~DeviceBuffer() { cudaFree(data_); }

  Element* data() const { return data_; }
  size_t count() const { return count_; }
  size_t size_bytes() const { return count_ * sizeof(Element); }

 private:
  Element* data_ = nullptr;
  size_t count_ = 0;
};

}  // namespace longview
