// What the device tests share: bf16 on the host, and the way to the device and
// back.
#pragma once

#include <cstdint>
#include <cstring>
#include <vector>

#include "common/cuda_error.h"
#include "common/device.h"
#include "common/device_buffer.h"

namespace longview::test {

inline float to_float(uint16_t bits) {
  const uint32_t word = static_cast<uint32_t>(bits) << 16;
  float value;
  std::memcpy(&value, &word, sizeof value);
  return value;
}

inline std::vector<float> to_floats(const std::vector<uint16_t>& bits) {
  std::vector<float> values;
  values.reserve(bits.size());
  for (const uint16_t element : bits) values.push_back(to_float(element));
  return values;
}

/// bf16 numbers in [-`size`, `size`] from a linear congruential generator.
inline std::vector<uint16_t> random_bf16(size_t count, uint32_t seed, float size = 1.f) {
  std::vector<uint16_t> bits(count);
  for (uint16_t& element : bits) {
    seed = seed * 1664525u + 1013904223u;
    const float value = (static_cast<float>(seed >> 8) / (1 << 23) - 1.f) * size;
    uint32_t word;
    std::memcpy(&word, &value, sizeof word);
    element = static_cast<uint16_t>(word >> 16);
  }
  return bits;
}

/// A copy from pageable memory may return before it has arrived, and our
/// streams do not wait for it.
template <class Element>
DeviceBuffer<Element> on_device(const std::vector<Element>& host) {
  DeviceBuffer<Element> buffer(host.size());
  LONGVIEW_CUDA(
      cudaMemcpy(buffer.data(), host.data(), buffer.size_bytes(), cudaMemcpyHostToDevice));
  LONGVIEW_CUDA(cudaDeviceSynchronize());
  return buffer;
}

template <class Element>
std::vector<Element> on_host(const DeviceBuffer<Element>& buffer) {
  std::vector<Element> host(buffer.count());
  LONGVIEW_CUDA(
      cudaMemcpy(host.data(), buffer.data(), buffer.size_bytes(), cudaMemcpyDeviceToHost));
  return host;
}

}  // namespace longview::test
