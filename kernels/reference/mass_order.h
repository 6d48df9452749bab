// What the oracles of block selection share: shares of rows, and the order of masses.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

namespace longview::reference {

constexpr int kTileRows = 128;
constexpr int kBlockKeys = 64;
constexpr double kMassUnit = 1 << 26;

inline int blocks_of(int keys) { return (keys + kBlockKeys - 1) / kBlockKeys; }

/// Shares of a row's blocks, empty where it sees no average, from the masses of the first `count`.
/// Sets `has_nan` where they do not add up to a number.
inline std::vector<double> shares_of(const float* masses, int count, bool& has_nan) {
  float sum = 0.f;
  for (int b = 0; b < count; ++b) sum += masses[b];
  if (!(sum < INFINITY)) has_nan = true;
  if (has_nan || sum == 0.f) return {};
  std::vector<double> shares;
  double total = 0.0;
  for (int b = 0; b < count; ++b) total += masses[b];
  for (int b = 0; b < count; ++b) shares.push_back(masses[b] / total);
  return shares;
}

/// Blocks of which the row at `position` sees a whole average.
inline int seen_blocks(int position, int pooled_keys) {
  return blocks_of((position + 1) / pooled_keys * pooled_keys);
}

/// Masses are ordered by their leading bits, rounded; those of one bin are taken by number.
inline int bin_of(uint32_t mass) {
  constexpr int kMantissaBits = 6;
  if (mass == 0) return -1;
  int exponent;
  const double mantissa = std::frexp(static_cast<double>(mass), &exponent);  // in [0.5, 1)
  const double bits = std::floor((2 * mantissa - 1) * (1 << kMantissaBits) + 0.5);
  return (exponent << kMantissaBits) + static_cast<int>(bits);
}

/// Puts `candidates`, which ascend, into the order in which they are taken.
inline void order_by_mass(std::vector<int>& candidates, const uint32_t* masses) {
  std::stable_sort(candidates.begin(), candidates.end(),
                   [&](int a, int b) { return bin_of(masses[a]) > bin_of(masses[b]); });
}

}  // namespace longview::reference
