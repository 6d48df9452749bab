#include "reference/fp8.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "reference/ops.h"

namespace longview::reference {

namespace {

constexpr int kFractionBits = 3;
constexpr int kExponentBias = 7;
constexpr int kSmallestExponent = 1 - kExponentBias;  // of normal numbers; subnormals share it
constexpr float kLargest = 448.f;
constexpr uint8_t kLargestBits = 0x7E;
constexpr uint8_t kNan = 0x7F;
constexpr uint8_t kSign = 0x80;
constexpr float kSmallestMagnitude = 1e-30f;

}  // namespace

float e4m3_to_float(uint8_t bits) {
  const uint8_t magnitude = bits & ~kSign;
  if (magnitude == kNan) return std::numeric_limits<float>::quiet_NaN();
  const int exponent = magnitude >> kFractionBits;
  const int fraction = magnitude & ((1 << kFractionBits) - 1);
  const int significand = exponent == 0 ? fraction : fraction | 1 << kFractionBits;
  const float value =
      std::ldexp(static_cast<float>(significand),
                 std::max(exponent - kExponentBias, kSmallestExponent) - kFractionBits);
  return bits & kSign ? -value : value;
}

uint8_t float_to_e4m3(float value) {
  if (std::isnan(value)) return kNan;
  const uint8_t sign = std::signbit(value) ? kSign : 0;
  const float magnitude = std::abs(value);
  if (magnitude >= kLargest) return sign | kLargestBits;
  // Steps between neighbours are 2^(exponent - 3); nearbyint rounds ties to even.
  const int exponent = std::max(magnitude > 0 ? std::ilogb(magnitude) : kSmallestExponent,
                                kSmallestExponent);
  const int steps =
      static_cast<int>(std::nearbyint(std::ldexp(magnitude, kFractionBits - exponent)));
  // A carry out of the fraction moves on to the next exponent by itself.
  const int bits = ((exponent + kExponentBias - 1) << kFractionBits) + steps;
  return sign | static_cast<uint8_t>(std::min<int>(bits, kLargestBits));
}

void quantize_rows(const float* input, const float* norm_weight, float norm_epsilon, uint8_t* output,
                   float* scales, int rows, int features) {
  std::vector<float> normed(features);
  for (int row = 0; row < rows; ++row) {
    const int64_t first = int64_t{row} * features;
    const float* values = input + first;
    if (norm_weight != nullptr) {
      rms_norm(values, norm_weight, normed.data(), 1, features, norm_epsilon);
      values = normed.data();
    }
    float magnitude = kSmallestMagnitude;
    for (int i = 0; i < features; ++i) magnitude = std::max(magnitude, std::abs(values[i]));
    scales[row] = magnitude / kLargest;
    for (int i = 0; i < features; ++i) {
      output[first + i] = float_to_e4m3(values[i] * (kLargest / magnitude));
    }
  }
}

}  // namespace longview::reference
