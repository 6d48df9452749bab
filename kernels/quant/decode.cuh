// Block formats decoded in registers, 16 elements at a time. The layouts are ggml's
// (`ggml-common.h`), and so is the arithmetic: the product with the scale is rounded to fp32, then
// the difference.
#pragma once

#include <cuda_bf16.h>
#include <cuda_fp16.h>

#include <cstdint>
#include <type_traits>

#include "quant/block_format.h"

namespace longview::quant {

/// Elements that decode_run() gives at a time: each run lies within one block and has one scale.
constexpr int kRunElements = 16;

template <BlockFormat kFormat>
using Format = std::integral_constant<BlockFormat, kFormat>;

__device__ inline float half_at(const uint8_t* from) {
  return __half2float(__ushort_as_half(*reinterpret_cast<const uint16_t*>(from)));
}

/// 16 bytes from an address aligned to 2 bytes, by aligned words of which the outer two may reach
/// over the ends.
__device__ inline uint4 load_16_bytes(const uint8_t* from) {
  const auto address = reinterpret_cast<uintptr_t>(from);
  const auto* words = reinterpret_cast<const uint32_t*>(address & ~uintptr_t{3});
  const uint32_t shift = (address & 2) * 8;
  const uint32_t last = shift == 0 ? 0 : words[4];
  return {__funnelshift_r(words[0], words[1], shift), __funnelshift_r(words[1], words[2], shift),
          __funnelshift_r(words[2], words[3], shift), __funnelshift_r(words[3], last, shift)};
}

/// The four bytes of `codes`, less `zero_point`, as floats. Exact: a byte in the low bits of 2^23.
__device__ inline void codes_to_floats(uint32_t codes, float zero_point, float* values) {
  constexpr uint32_t kTwoTo23 = 0x4B000000;
  const float offset = 8388608.f + zero_point;
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    values[i] = __uint_as_float(__byte_perm(codes, kTwoTo23, 0x7440 + i)) - offset;
  }
}

__device__ inline void scale_run(float scale, float (&values)[kRunElements]) {
#pragma unroll
  for (float& value : values) value = __fmul_rn(scale, value);
}

__device__ inline void scale_run(float scale, float min, float (&values)[kRunElements]) {
#pragma unroll
  for (float& value : values) value = __fsub_rn(__fmul_rn(scale, value), min);
}

/// Low or high halves of 16 bytes.
__device__ inline uint4 nibbles(uint4 bytes, int is_high) {
  constexpr uint32_t kMask = 0x0f0f0f0f;
  const int shift = 4 * is_high;
  return {(bytes.x >> shift) & kMask, (bytes.y >> shift) & kMask, (bytes.z >> shift) & kMask,
          (bytes.w >> shift) & kMask};
}

__device__ inline void codes_to_floats(uint4 codes, float zero_point,
                                       float (&values)[kRunElements]) {
  codes_to_floats(codes.x, zero_point, values);
  codes_to_floats(codes.y, zero_point, values + 4);
  codes_to_floats(codes.z, zero_point, values + 8);
  codes_to_floats(codes.w, zero_point, values + 12);
}

/// Two bf16 of a word as floats.
__device__ inline float2 unpack_bf16(uint32_t word) {
  return {__uint_as_float(word << 16), __uint_as_float(word & 0xffff0000u)};
}

__device__ inline float2 unpack_half(uint32_t word) {
  return __half22float2(*reinterpret_cast<const __half2*>(&word));
}

/// Two floats rounded to nearest even, `low` in the low half.
__device__ inline uint32_t pack_bf16(float low, float high) {
  const __nv_bfloat162 pair = __floats2bfloat162_rn(low, high);
  return *reinterpret_cast<const uint32_t*>(&pair);
}

/// Half scale, half minimum to add, 16 bytes whose low halves come first.
__device__ inline void decode_run(Format<BlockFormat::kQ4_1>, const uint8_t* blocks, int run,
                                  float (&values)[kRunElements]) {
  const uint8_t* block = blocks + (run / 2) * 20;
  codes_to_floats(nibbles(load_16_bytes(block + 4), run % 2), 0.f, values);
  scale_run(half_at(block), -half_at(block + 2), values);
}

/// Half scale, 32 fifth bits, 16 bytes as in Q4_1.
__device__ inline void decode_run(Format<BlockFormat::kQ5_0>, const uint8_t* blocks, int run,
                                  float (&values)[kRunElements]) {
  const uint8_t* block = blocks + (run / 2) * 22;
  const uint32_t fifth_bits = *reinterpret_cast<const uint16_t*>(block + 2 + run % 2 * 2);
  // Bit i of four to bit 4 of byte i: the copies of the product do not touch each other.
  const auto spread = [&](int first) {
    return ((((fifth_bits >> first) & 0xf) * 0x00204081u) & 0x01010101u) << 4;
  };
  uint4 codes = nibbles(load_16_bytes(block + 6), run % 2);
  codes = {codes.x | spread(0), codes.y | spread(4), codes.z | spread(8), codes.w | spread(12)};
  codes_to_floats(codes, 16.f, values);
  scale_run(half_at(block), values);
}

/// Half scale, 32 signed bytes.
__device__ inline void decode_run(Format<BlockFormat::kQ8_0>, const uint8_t* blocks, int run,
                                  float (&values)[kRunElements]) {
  constexpr uint32_t kSigns = 0x80808080u;
  const uint8_t* block = blocks + (run / 2) * 34;
  const uint4 bytes = load_16_bytes(block + 2 + run % 2 * 16);
  codes_to_floats({bytes.x ^ kSigns, bytes.y ^ kSigns, bytes.z ^ kSigns, bytes.w ^ kSigns}, 128.f,
                  values);
  scale_run(half_at(block), values);
}

/// Two halves that multiply the 6-bit scales and mins of 8 sub-blocks, packed into 12 bytes; then
/// 32 bytes for each two sub-blocks, the low halves being the first.
__device__ inline void decode_run(Format<BlockFormat::kQ4_K>, const uint8_t* blocks, int run,
                                  float (&values)[kRunElements]) {
  const uint8_t* block = blocks + (run / 16) * 144;
  const int sub_block = run % 16 / 2;
  const uint4 head = *reinterpret_cast<const uint4*>(block);
  const int shift = sub_block % 4 * 8;
  const uint32_t a = (head.y >> shift) & 0xff;
  const uint32_t b = (head.z >> shift) & 0xff;
  const uint32_t c = (head.w >> shift) & 0xff;
  const bool is_first_half = sub_block < 4;
  const uint32_t scale = is_first_half ? a & 0x3f : (c & 0xf) | ((a >> 2) & 0x30);
  const uint32_t min = is_first_half ? b & 0x3f : (c >> 4) | ((b >> 2) & 0x30);
  const float2 multipliers = unpack_half(head.x);
  const auto* codes =
      reinterpret_cast<const uint4*>(block + 16 + sub_block / 2 * 32 + run % 2 * 16);
  codes_to_floats(nibbles(*codes, sub_block % 2), 0.f, values);
  scale_run(multipliers.x * static_cast<float>(scale), multipliers.y * static_cast<float>(min),
            values);
}

/// 128 bytes of low halves, 64 bytes of upper bit pairs, 16 signed scales and the half that
/// multiplies them. Each half of 128 elements spreads over 64 and 32 of those bytes.
__device__ inline void decode_run(Format<BlockFormat::kQ6_K>, const uint8_t* blocks, int run,
                                  float (&values)[kRunElements]) {
  constexpr uint32_t kPairs = 0x03030303u;
  const uint8_t* block = blocks + (run / 16) * 210;
  const int half = run % 16 / 8;
  const int group = run % 8 / 2;  // of 32 elements
  const int part = run % 2 * 16;
  const uint4 low = load_16_bytes(block + half * 64 + group % 2 * 32 + part);
  const uint4 high = load_16_bytes(block + 128 + half * 32 + part);
  uint4 codes = nibbles(low, group / 2);
  const auto upper = [&](uint32_t word) { return ((word >> (2 * group)) & kPairs) << 4; };
  codes = {codes.x | upper(high.x), codes.y | upper(high.y), codes.z | upper(high.z),
           codes.w | upper(high.w)};
  codes_to_floats(codes, 32.f, values);
  const auto scale = static_cast<int8_t>(block[192 + run % 16]);
  scale_run(half_at(block + 208) * static_cast<float>(scale), values);
}

__device__ inline void decode_run(Format<BlockFormat::kF32>, const uint8_t* elements, int run,
                                  float (&values)[kRunElements]) {
  const auto* fours = reinterpret_cast<const float4*>(elements) + run * 4;
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    const float4 four = fours[i];
    values[4 * i] = four.x;
    values[4 * i + 1] = four.y;
    values[4 * i + 2] = four.z;
    values[4 * i + 3] = four.w;
  }
}

template <class Unpack>
__device__ inline void decode_halfwords(const uint8_t* elements, int run, Unpack unpack,
                                        float (&values)[kRunElements]) {
  const auto* eights = reinterpret_cast<const uint4*>(elements) + run * 2;
#pragma unroll
  for (int i = 0; i < 2; ++i) {
    const uint4 eight = eights[i];
    const uint32_t words[4] = {eight.x, eight.y, eight.z, eight.w};
#pragma unroll
    for (int j = 0; j < 4; ++j) {
      const float2 pair = unpack(words[j]);
      values[8 * i + 2 * j] = pair.x;
      values[8 * i + 2 * j + 1] = pair.y;
    }
  }
}

__device__ inline void decode_run(Format<BlockFormat::kF16>, const uint8_t* elements, int run,
                                  float (&values)[kRunElements]) {
  decode_halfwords(elements, run, unpack_half, values);
}

__device__ inline void decode_run(Format<BlockFormat::kBf16>, const uint8_t* elements, int run,
                                  float (&values)[kRunElements]) {
  decode_halfwords(elements, run, unpack_bf16, values);
}

/// Stores a run as bf16 at an address aligned to 16 bytes.
__device__ inline void store_bf16(const float (&values)[kRunElements], void* to) {
#pragma unroll
  for (int i = 0; i < 2; ++i) {
    const float* from = values + 8 * i;
    static_cast<uint4*>(to)[i] = {pack_bf16(from[0], from[1]), pack_bf16(from[2], from[3]),
                                  pack_bf16(from[4], from[5]), pack_bf16(from[6], from[7])};
  }
}

}  // namespace longview::quant
