// The oracle of fp8 against values written out by hand.
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <vector>

#include "reference/fp8.h"

using longview::reference::e4m3_to_float;
using longview::reference::float_to_e4m3;
using longview::reference::quantize_rows;

namespace {

int failures = 0;

void expect(bool holds, const char* what, double value) {
  if (holds) return;
  std::printf("%s: %g\n", what, value);
  ++failures;
}

void values_are_those_of_the_format() {
  const struct {
    uint8_t bits;
    float value;
  } known[] = {{0x00, 0.f},          {0x01, 0.001953125f}, {0x07, 0.013671875f}, {0x08, 0.015625f},
               {0x38, 1.f},          {0x39, 1.125f},       {0xB8, -1.f},         {0x7E, 448.f},
               {0xFE, -448.f},       {0x40, 2.f}};
  for (const auto& each : known) {
    expect(e4m3_to_float(each.bits) == each.value, "value of bits", each.bits);
    expect(float_to_e4m3(each.value) == each.bits, "bits of value", each.value);
  }
  expect(std::isnan(e4m3_to_float(0x7F)) && std::isnan(e4m3_to_float(0xFF)), "NaN", 0x7F);
}

void every_value_comes_back() {
  for (int bits = 0; bits < 256; ++bits) {
    if ((bits & 0x7F) == 0x7F) continue;
    expect(float_to_e4m3(e4m3_to_float(static_cast<uint8_t>(bits))) == bits, "round trip", bits);
  }
}

void rounding_is_to_the_nearest() {
  expect(float_to_e4m3(1.0624f) == 0x38, "down to 1", 1.0624);
  expect(float_to_e4m3(1.0625f) == 0x38, "a tie to even, down", 1.0625);
  expect(float_to_e4m3(1.1875f) == 0x3A, "a tie to even, up", 1.1875);
  expect(float_to_e4m3(1.97f) == 0x40, "a carry into the exponent", 1.97);
  expect(float_to_e4m3(0.0009f) == 0x00, "below half of the smallest", 0.0009);
  expect(float_to_e4m3(0.0010f) == 0x01, "above half of the smallest", 0.0010);
  expect(float_to_e4m3(470.f) == 0x7E, "beyond the largest", 470);
  expect(float_to_e4m3(-1e30f) == 0xFE, "far beyond the largest", -1e30);
  expect(float_to_e4m3(std::nanf("")) == 0x7F, "NaN", 0);
}

void rows_are_scaled_each_by_its_own() {
  const std::vector<float> input{1, -2, 0.5f, 0, 0, 0};
  std::vector<uint8_t> output(6);
  std::vector<float> scales(2);
  quantize_rows(input.data(), nullptr, 0, output.data(), scales.data(), 2, 3);
  expect(scales[0] == 2.f / 448, "scale", scales[0]);
  expect(output[1] == 0xFE, "the largest", output[1]);
  expect(e4m3_to_float(output[0]) * scales[0] == 1.f, "half of it", output[0]);
  expect(output[3] == 0 && output[5] == 0 && scales[1] > 0, "a row of zeros", scales[1]);
}

void norm_comes_first() {
  const std::vector<float> input{3, 4};  // root of the mean of the squares: sqrt(12.5)
  const std::vector<float> weight{2, 1};
  std::vector<uint8_t> output(2);
  float scale = 0;
  quantize_rows(input.data(), weight.data(), 1e-12f, output.data(), &scale, 1, 2);
  expect(std::abs(scale - 6 / std::sqrt(12.5) / 448) < 1e-9, "scale after the norm", scale);
  expect(output[0] == 0x7E, "the largest after the norm", output[0]);
}

}  // namespace

int main() {
  values_are_those_of_the_format();
  every_value_comes_back();
  rounding_is_to_the_nearest();
  rows_are_scaled_each_by_its_own();
  norm_comes_first();
  std::printf("%d failed\n", failures);
  return failures == 0 ? 0 : 1;
}
