// Rounding to bf16, ties to even; a NaN stays one.
#pragma once

#include <algorithm>
#include <cmath>

namespace longview::reference {

/// The nearest number with `mantissa_bits` bits behind the first and exponents of at least
/// `min_exponent`; below, the spacing stays.
inline double round_mantissa(double value, int mantissa_bits, int min_exponent) {
  if (value == 0.0 || !std::isfinite(value)) return value;
  const int exponent = std::max(std::ilogb(value), min_exponent);
  const double spacing = std::ldexp(1.0, exponent - mantissa_bits);
  return std::nearbyint(value / spacing) * spacing;
}

inline float round_to_bf16(double value) {
  constexpr double kLargest = 0x1.FEp127;
  const double rounded = round_mantissa(value, 7, -126);
  return static_cast<float>(std::abs(rounded) > kLargest ? std::copysign(INFINITY, rounded)
                                                         : rounded);
}

}  // namespace longview::reference
