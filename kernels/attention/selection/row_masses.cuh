// Reading the masses that stage 1 left.
#pragma once

#include <cmath>
#include <cstdint>

namespace longview::attention {

constexpr int kVector = 8;  // masses read at a time: 16 bytes

/// Masses of 8 neighbouring blocks in one row.
struct MassVector {
  uint4 words;

  static __device__ __forceinline__ MassVector load(const uint16_t* source) {
    return {*reinterpret_cast<const uint4*>(source)};
  }
  static __device__ __forceinline__ MassVector zero() { return {make_uint4(0, 0, 0, 0)}; }

  __device__ __forceinline__ float mass(int i) const {
    const uint32_t pairs[4] = {words.x, words.y, words.z, words.w};
    const uint32_t pair = pairs[i / 2];
    return __uint_as_float(i % 2 == 0 ? pair << 16 : pair & 0xffff0000);
  }

  /// Of the first `count`.
  __device__ __forceinline__ float sum(int count) const {
    float sum = 0.f;
#pragma unroll
    for (int i = 0; i < kVector; ++i) {
      if (i < count) sum += mass(i);
    }
    return sum;
  }
};

/// Whether a row's mass can be divided by. A row that sees no average has none.
__device__ __forceinline__ bool is_number(float row_mass) { return row_mass < INFINITY; }

/// What to multiply a row's masses by. A row that sees no average has no say.
__device__ __forceinline__ float share_of_mass(float row_mass) {
  return row_mass > 0.f ? 1.f / row_mass : 0.f;
}

/// Blocks of which the first `position + 1` keys hold a whole average. Stage 1 has no entries for
/// those behind.
__device__ __forceinline__ int scored_blocks(int position, int pooled_keys, int block_keys) {
  const int averages = (position + 1) / pooled_keys;
  return (averages * pooled_keys + block_keys - 1) / block_keys;
}

}  // namespace longview::attention
