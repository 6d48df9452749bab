// What the device tests have in common: numbers, and their way to the device and back.
#pragma once

#include <cstdint>
#include <cstring>
#include <numeric>
#include <vector>

#include "common/cuda_error.h"
#include "common/device_buffer.h"
#include "common/kv_block.h"

namespace longview::testing {

/// Fills what a kernel must not read, and what it must write.
constexpr uint16_t kNan = 0x7fff;

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

/// bf16 numbers in [-bound, bound] from a linear congruential generator.
inline std::vector<uint16_t> random_bf16(size_t count, uint32_t seed, float bound = 1.f) {
  std::vector<uint16_t> bits(count);
  for (uint16_t& element : bits) {
    seed = seed * 1664525u + 1013904223u;
    const float value = bound * (static_cast<float>(seed >> 8) / (1 << 23) - 1.f);
    uint32_t word;
    std::memcpy(&word, &value, sizeof word);
    element = static_cast<uint16_t>(word >> 16);
  }
  return bits;
}

/// A copy from pageable memory may return before it has arrived, and our streams do not wait for it.
template <class Element>
DeviceBuffer<Element> on_device(const std::vector<Element>& host) {
  DeviceBuffer<Element> buffer(host.size());
  LONGVIEW_CUDA(
      cudaMemcpy(buffer.data(), host.data(), buffer.size_bytes(), cudaMemcpyHostToDevice));
  LONGVIEW_CUDA(cudaDeviceSynchronize());
  return buffer;
}

template <class Element>
std::vector<Element> on_host(const Element* data, size_t count) {
  std::vector<Element> host(count);
  LONGVIEW_CUDA(cudaMemcpy(host.data(), data, count * sizeof(Element), cudaMemcpyDeviceToHost));
  return host;
}

template <class Element>
std::vector<Element> on_host(const DeviceBuffer<Element>& buffer) {
  return on_host(buffer.data(), buffer.count());
}

/// A KV pool of one block more than `tokens` need, in reverse order.
struct PagedTokens {
  explicit PagedTokens(int tokens) : tokens(tokens), block_table(kv_blocks(tokens)) {
    pool_blocks = static_cast<int>(block_table.size()) + 1;
    std::iota(block_table.rbegin(), block_table.rend(), 1);
  }

  /// Rows of `row` elements in their places of the pool; rows that hold no token are NaN.
  std::vector<uint16_t> place(const std::vector<uint16_t>& rows, size_t row) const {
    std::vector<uint16_t> pool(row * pool_blocks * KV_BLOCK_TOKENS, kNan);
    for (int token = 0; token < tokens; ++token) {
      const size_t pool_row = size_t{1} * block_table[token / KV_BLOCK_TOKENS] * KV_BLOCK_TOKENS +
                              token % KV_BLOCK_TOKENS;
      std::memcpy(&pool[pool_row * row], &rows[token * row], row * sizeof(uint16_t));
    }
    return pool;
  }

  int tokens;
  std::vector<int> block_table;
  int pool_blocks;
};

}  // namespace longview::testing
