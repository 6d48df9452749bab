#include "reference/quant.h"

#include <cmath>
#include <cstring>
#include <stdexcept>
#include <string>

namespace longview::reference {

namespace {

uint16_t halfword_at(const uint8_t* from) { return static_cast<uint16_t>(from[0] | from[1] << 8); }

float half_at(const uint8_t* from) {
  const uint16_t bits = halfword_at(from);
  const int exponent = bits >> 10 & 0x1f;
  const int mantissa = bits & 0x3ff;
  float value = std::ldexp(static_cast<float>(mantissa), -24);
  if (exponent == 31) value = mantissa == 0 ? INFINITY : NAN;
  if (exponent > 0 && exponent < 31) {
    value = std::ldexp(static_cast<float>(mantissa + 1024), exponent - 25);
  }
  return (bits >> 15) != 0 ? -value : value;
}

void f32_block(const uint8_t* block, float* values) { std::memcpy(values, block, sizeof(float)); }

void f16_block(const uint8_t* block, float* values) { *values = half_at(block); }

void bf16_block(const uint8_t* block, float* values) {
  const uint32_t bits = static_cast<uint32_t>(halfword_at(block)) << 16;
  std::memcpy(values, &bits, sizeof(float));
}

void q4_1_block(const uint8_t* block, float* values) {
  const float scale = half_at(block);
  const float minimum = half_at(block + 2);
  for (int i = 0; i < 16; ++i) {
    const float low = scale * static_cast<float>(block[4 + i] & 0xf);
    const float high = scale * static_cast<float>(block[4 + i] >> 4);
    values[i] = low + minimum;
    values[i + 16] = high + minimum;
  }
}

void q5_0_block(const uint8_t* block, float* values) {
  const float scale = half_at(block);
  uint32_t fifth_bits = 0;
  for (int i = 0; i < 4; ++i) fifth_bits |= static_cast<uint32_t>(block[2 + i]) << (8 * i);
  for (int i = 0; i < 16; ++i) {
    const int low = (block[6 + i] & 0xf) | static_cast<int>(fifth_bits >> i & 1) << 4;
    const int high = block[6 + i] >> 4 | static_cast<int>(fifth_bits >> (i + 16) & 1) << 4;
    values[i] = static_cast<float>(low - 16) * scale;
    values[i + 16] = static_cast<float>(high - 16) * scale;
  }
}

void q8_0_block(const uint8_t* block, float* values) {
  const float scale = half_at(block);
  for (int i = 0; i < 32; ++i) {
    values[i] = static_cast<float>(static_cast<int8_t>(block[2 + i])) * scale;
  }
}

/// Scale and minimum number `index` of the 8 packed into 12 bytes.
void k4_scale_min(int index, const uint8_t* packed, int& scale, int& minimum) {
  if (index < 4) {
    scale = packed[index] & 63;
    minimum = packed[index + 4] & 63;
  } else {
    scale = (packed[index + 4] & 0xf) | (packed[index - 4] >> 6) << 4;
    minimum = packed[index + 4] >> 4 | (packed[index] >> 6) << 4;
  }
}

void q4_k_block(const uint8_t* block, float* values) {
  const float scales = half_at(block);
  const float minima = half_at(block + 2);
  for (int sub = 0; sub < 8; ++sub) {
    int scale = 0;
    int minimum = 0;
    k4_scale_min(sub, block + 4, scale, minimum);
    const float step = scales * static_cast<float>(scale);
    const float offset = minima * static_cast<float>(minimum);
    const uint8_t* codes = block + 16 + sub / 2 * 32;
    for (int i = 0; i < 32; ++i) {
      const float product = step * static_cast<float>(codes[i] >> (sub % 2 * 4) & 0xf);
      values[sub * 32 + i] = product - offset;
    }
  }
}

void q6_k_block(const uint8_t* block, float* values) {
  const float scales = half_at(block + 208);
  for (int i = 0; i < 256; ++i) {
    const int half = i / 128;
    const int group = i % 128 / 32;
    const int at = i % 32;
    const int low = block[half * 64 + group % 2 * 32 + at] >> (group / 2 * 4) & 0xf;
    const int high = block[128 + half * 32 + at] >> (2 * group) & 3;
    const float scale = scales * static_cast<float>(static_cast<int8_t>(block[192 + i / 16]));
    values[i] = scale * static_cast<float>((low | high << 4) - 32);
  }
}

struct BlockReader {
  int elements;
  int bytes;
  void (*read)(const uint8_t* block, float* values);
};

BlockReader reader_of(int ggml_type) {
  switch (ggml_type) {
    case 0:
      return {1, 4, f32_block};
    case 1:
      return {1, 2, f16_block};
    case 3:
      return {32, 20, q4_1_block};
    case 6:
      return {32, 22, q5_0_block};
    case 8:
      return {32, 34, q8_0_block};
    case 12:
      return {256, 144, q4_k_block};
    case 14:
      return {256, 210, q6_k_block};
    case 30:
      return {1, 2, bf16_block};
    default:
      throw std::invalid_argument("no tensor format " + std::to_string(ggml_type));
  }
}

}  // namespace

void dequantize(int ggml_type, const uint8_t* blocks, int64_t count, float* values) {
  const BlockReader reader = reader_of(ggml_type);
  if (count % reader.elements != 0) {
    throw std::invalid_argument(std::to_string(count) + " elements are not whole blocks of " +
                                std::to_string(reader.elements));
  }
  for (int64_t block = 0; block < count / reader.elements; ++block) {
    reader.read(blocks + block * reader.bytes, values + block * reader.elements);
  }
}

uint16_t to_bf16(float value) {
  uint32_t bits = 0;
  std::memcpy(&bits, &value, sizeof(bits));
  if (std::isnan(value)) return static_cast<uint16_t>(bits >> 16 | 0x40);
  return static_cast<uint16_t>((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

}  // namespace longview::reference
