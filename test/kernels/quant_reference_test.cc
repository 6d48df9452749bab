// Checks the CPU oracle of dequantisation on blocks written out by hand.
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <vector>

#include "reference/quant.h"

using longview::reference::dequantize;
using longview::reference::to_bf16;

namespace {

constexpr int kQ4_1 = 3;
constexpr int kQ5_0 = 6;
constexpr int kQ8_0 = 8;
constexpr int kQ4_K = 12;
constexpr int kQ6_K = 14;
constexpr uint16_t kHalfOne = 0x3c00;
constexpr uint16_t kHalfTwo = 0x4000;

int failures = 0;

void expect(const char *what, int index, float actual, float expected) {
  if (actual == expected)
    return;
  std::printf("%s [%d]: %g, not %g\n", what, index, actual, expected);
  ++failures;
}

void put_half(std::vector<uint8_t> &bytes, size_t at, uint16_t half) {
  bytes[at] = static_cast<uint8_t>(half);
  bytes[at + 1] = static_cast<uint8_t>(half >> 8);
}

std::vector<float> values_of(int type, const std::vector<uint8_t> &block,
                             int count) {
  std::vector<float> values(count, NAN);
  dequantize(type, block.data(), count, values.data());
  return values;
}

void test_q4_1_adds_its_minimum() {
  std::vector<uint8_t> block(20, 0);
  put_half(block, 0, kHalfTwo);
  put_half(block, 2, kHalfOne);
  for (int i = 0; i < 16; ++i)
    block[4 + i] = static_cast<uint8_t>(i | (15 - i) << 4);
  const auto values = values_of(kQ4_1, block, 32);
  for (int i = 0; i < 16; ++i) {
    expect("Q4_1", i, values[i], 2.f * i + 1.f);
    expect("Q4_1", i + 16, values[i + 16], 2.f * (15 - i) + 1.f);
  }
}

void test_q5_0_takes_the_fifth_bit_from_the_mask() {
  std::vector<uint8_t> block(22, 0);
  put_half(block, 0, kHalfOne);
  block[2] = 0x02; // element 1
  block[5] = 0x80; // element 31
  block[6 + 1] = 0x05;
  block[6 + 15] = 0x70;
  const auto values = values_of(kQ5_0, block, 32);
  for (int i = 0; i < 32; ++i) {
    const float expected = i == 1 ? 5.f : i == 31 ? 7.f : -16.f;
    expect("Q5_0", i, values[i], expected);
  }
}

void test_q8_0_is_signed() {
  std::vector<uint8_t> block(34, 0);
  put_half(block, 0, kHalfTwo);
  block[2] = 0x80;
  block[33] = 0x7f;
  const auto values = values_of(kQ8_0, block, 32);
  expect("Q8_0", 0, values[0], -256.f);
  expect("Q8_0", 1, values[1], 0.f);
  expect("Q8_0", 31, values[31], 254.f);
}

/// Sub-block s has scale 33 + s and minimum 17 + s, which needs all 6 bits of
/// each; its codes are s.
void test_q4_k_unpacks_scales_and_minima() {
  std::vector<uint8_t> block(144, 0);
  put_half(block, 0, kHalfOne);
  put_half(block, 2, kHalfOne);
  for (int s = 0; s < 4; ++s) {
    const int upper_scale = 37 + s;
    const int upper_minimum = 21 + s;
    block[4 + s] = static_cast<uint8_t>((33 + s) | (upper_scale >> 4) << 6);
    block[8 + s] = static_cast<uint8_t>((17 + s) | (upper_minimum >> 4) << 6);
    block[12 + s] =
        static_cast<uint8_t>((upper_scale & 0xf) | (upper_minimum & 0xf) << 4);
  }
  for (int i = 0; i < 128; ++i) {
    const int pair = i / 32;
    block[16 + i] = static_cast<uint8_t>(2 * pair | (2 * pair + 1) << 4);
  }
  const auto values = values_of(kQ4_K, block, 256);
  for (int i = 0; i < 256; ++i) {
    const int s = i / 32;
    expect("Q4_K", i, values[i], static_cast<float>((33 + s) * s - (17 + s)));
  }
}

/// Element i has code i % 64, and sub-block s the scale s - 8.
void test_q6_k_joins_low_and_high_bits() {
  std::vector<uint8_t> block(210, 0);
  put_half(block, 208, kHalfTwo);
  for (int i = 0; i < 256; ++i) {
    const int code = i % 64;
    const int half = i / 128;
    const int group = i % 128 / 32;
    block[half * 64 + group % 2 * 32 + i % 32] |=
        static_cast<uint8_t>((code & 0xf) << (group / 2 * 4));
    block[128 + half * 32 + i % 32] |=
        static_cast<uint8_t>(code >> 4 << (2 * group));
  }
  for (int s = 0; s < 16; ++s)
    block[192 + s] = static_cast<uint8_t>(s - 8);
  const auto values = values_of(kQ6_K, block, 256);
  for (int i = 0; i < 256; ++i) {
    expect("Q6_K", i, values[i],
           2.f * static_cast<float>(i / 16 - 8) *
               static_cast<float>(i % 64 - 32));
  }
}

void test_halves() {
  const std::vector<uint8_t> bytes{0x01, 0x00, 0xff, 0x7b,
                                   0x00, 0xfc, 0x00, 0x80};
  const auto values = values_of(1, bytes, 4);
  expect("smallest half", 0, values[0], std::ldexp(1.f, -24));
  expect("largest half", 1, values[1], 65504.f);
  expect("minus infinity", 2, values[2], -INFINITY);
  expect("minus zero", 3, std::signbit(values[3]) ? 1.f : 0.f, 1.f);
}

void test_bf16_rounds_ties_to_even() {
  expect("down", 0, to_bf16(1.f + std::ldexp(1.f, -8)), 0x3f80);
  expect("up", 1, to_bf16(1.f + 3 * std::ldexp(1.f, -8)), 0x3f82);
  expect("NaN", 2, (to_bf16(NAN) & 0x7fff) > 0x7f80 ? 1.f : 0.f, 1.f);
}

} // namespace

int main() {
  test_q4_1_adds_its_minimum();
  test_q5_0_takes_the_fifth_bit_from_the_mask();
  test_q8_0_is_signed();
  test_q4_k_unpacks_scales_and_minima();
  test_q6_k_joins_low_and_high_bits();
  test_halves();
  test_bf16_rounds_ties_to_even();
  std::printf(failures == 0 ? "dequantisation: ok\n"
                            : "dequantisation: %d wrong\n",
              failures);
  return failures == 0 ? 0 : 1;
}
