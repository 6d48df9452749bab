// Products of quantised rows by mma.sync: sixteen rows at a time, so that the tensor cores multiply
// and what is left for the other units is little more than taking the codes apart.
//
// A code c becomes the bf16 128 + c, which is exact; what that adds is taken off with the sums of
// the input over each group of elements that share a scale. Group g of a block multiplies into
// column g % 8 of the result: its column of B holds the input, the other columns zeros. So all
// groups of a block keep sums of their own, which meet their scales once a block, in fp32.
#pragma once

#include <cstdint>

#include "common/sm80/mma.cuh"
#include "decoder/ops/warp.cuh"
#include "quant/decode.cuh"

namespace longview::decoder {

constexpr int kTileRows = 16;

/// Four codes of a word as two words of bf16, each 128 above its code.
__device__ inline void codes_to_bf16(uint32_t codes, uint32_t& first, uint32_t& second) {
  constexpr uint32_t kTwoTo7 = 0x43004300;
  first = __byte_perm(codes, kTwoTo7, 0x5150);
  second = __byte_perm(codes, kTwoTo7, 0x5352);
}

/// Four bytes from a shared address aligned to 2.
template <bool kIsAligned>
__device__ inline uint32_t load_word(const uint8_t* from) {
  if (kIsAligned) return *reinterpret_cast<const uint32_t*>(from);
  const auto* words = reinterpret_cast<const uint32_t*>(from - 2);
  return __byte_perm(words[0], words[1], 0x5432);
}

/// sums[0..3] += 16 rows x 16 codes times the input, in `column` of the result. Lane l has the
/// codes 4 * (l % 4) + {0 .. 3} of the rows l / 4 (`low`) and l / 4 + 8 (`high`), and gives the
/// input there.
__device__ inline void multiply_codes(float* sums, uint32_t low, uint32_t high,
                                      const uint16_t* input, int column) {
  const int lane = static_cast<int>(threadIdx.x) % kWarpThreads;
  uint32_t a[4];
  codes_to_bf16(low, a[0], a[2]);
  codes_to_bf16(high, a[1], a[3]);
  uint2 b = *reinterpret_cast<const uint2*>(input + lane % 4 * 4);
  if (lane / 4 != column) b = {0, 0};
  sm80::multiply_add(sums, a, b.x, b.y);
}

/// What a warp needs to know of a format to multiply its blocks.
template <quant::BlockFormat kFormat>
struct TileFormat {
  static constexpr bool kIsSupported = false;
};

template <>
struct TileFormat<quant::BlockFormat::kQ6_K> {
  static constexpr bool kIsSupported = true;
  static constexpr int kPieces = 14;  // of 16 bytes: a block that begins anywhere
  static constexpr int kStride = 240;

  /// rows[i] += block i times the input: of the rows l / 4 and l / 4 + 8. `group_sums`: of the
  /// input, 16 elements each.
  template <bool kIsAligned>
  __device__ static void add(const uint8_t* const (&blocks)[2], const uint16_t* input,
                             const float* group_sums, float (&rows)[2]) {
    const int quarter = static_cast<int>(threadIdx.x) % 4;
    float sums[2][4] = {};
#pragma unroll
    for (int half = 0; half < 2; ++half) {
#pragma unroll
      for (int part = 0; part < 2; ++part) {
        const int at = part * 16 + quarter * 4;
        uint32_t upper[2];
#pragma unroll
        for (int i = 0; i < 2; ++i)
          upper[i] = load_word<kIsAligned>(blocks[i] + 128 + half * 32 + at);
#pragma unroll
        for (int pair = 0; pair < 2; ++pair) {
          uint32_t lower[2];
#pragma unroll
          for (int i = 0; i < 2; ++i) {
            lower[i] = load_word<kIsAligned>(blocks[i] + half * 64 + pair * 32 + at);
          }
#pragma unroll
          for (int nibble = 0; nibble < 2; ++nibble) {
            const int group = pair + 2 * nibble;  // of 32 elements
            const int run = half * 8 + group * 2 + part;
            uint32_t codes[2];
#pragma unroll
            for (int i = 0; i < 2; ++i) {
              const uint32_t high =
                  group < 2 ? upper[i] << (4 - 2 * group) : upper[i] >> (2 * group - 4);
              codes[i] = ((lower[i] >> (4 * nibble)) & 0x0f0f0f0fu) | (high & 0x30303030u);
            }
            multiply_codes(sums[half], codes[0], codes[1], input + run * 16, run % 8);
          }
        }
      }
    }
#pragma unroll
    for (int i = 0; i < 2; ++i) {
      float of_row = 0.f;
#pragma unroll
      for (int half = 0; half < 2; ++half) {
        const int run = half * 8 + quarter * 2;
        const uint16_t scales = *reinterpret_cast<const uint16_t*>(blocks[i] + 192 + run);
        const float2 inputs = *reinterpret_cast<const float2*>(group_sums + run);
        const auto low = static_cast<float>(static_cast<int8_t>(scales & 0xff));
        const auto high = static_cast<float>(static_cast<int8_t>(scales >> 8));
        of_row = fmaf(low, fmaf(-160.f, inputs.x, sums[half][2 * i]), of_row);
        of_row = fmaf(high, fmaf(-160.f, inputs.y, sums[half][2 * i + 1]), of_row);
      }
      rows[i] = fmaf(quant::half_at(blocks[i] + 208), of_row, rows[i]);
    }
  }
};

}  // namespace longview::decoder
