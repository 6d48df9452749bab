// In which order tokens are laid side by side for the draw, and how much each weighs.
#pragma once

#include <cstdint>

#include "decoder/ops/sampling/workspace.cuh"

namespace longview::decoder {

/// Tokens by falling logit, the lower id first among equals; or by id, where nothing is left out
/// and the order only decides which random number means which token.
struct Ordering {
  static constexpr int kIdBits = 20;
  static constexpr int kKeyBits = 32 + kIdBits;
  static constexpr double kBinsPerNat = 32.0;
  static constexpr double kMassOne = 17592186044416.0;  // 2^44

  const float* logits;
  int candidates;
  float maximum;
  double temperature;
  bool is_by_id;

  /// The logit's distance from the maximum, in units of the temperature.
  __device__ double gap(int id) const {
    return (static_cast<double>(maximum) - static_cast<double>(logits[id])) / temperature;
  }

  __device__ unsigned long long mass(int id) const {
    return static_cast<unsigned long long>(exp(-gap(id)) * kMassOne);
  }

  /// Grows with the key.
  __device__ int bin(int id) const {
    if (is_by_id) return static_cast<int>(int64_t{id} * kBins / candidates);
    return static_cast<int>(fmin(gap(id) * kBinsPerNat, kBins - 1.0));
  }

  /// Different for each token; the first token of the order has the smallest.
  __device__ uint64_t key(int id) const {
    if (is_by_id) return id;
    const uint32_t bits = __float_as_uint(logits[id] + 0.f);  // -0 becomes 0
    const uint32_t rising = (bits >> 31) != 0 ? ~bits : bits | 0x80000000u;
    return uint64_t{~rising} << kIdBits | static_cast<uint32_t>(id);
  }
};

}  // namespace longview::decoder
