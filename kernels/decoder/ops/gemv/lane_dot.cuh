// What one lane adds to a row's sum from one stage.
#pragma once

#include <cstdint>

#include "decoder/ops/gemv/config.h"
#include "quant/decode.cuh"

namespace longview::decoder {

/// `kCount` bf16 of the staged input as floats.
template <int kCount>
__device__ inline void load_input(const uint16_t* input, float (&values)[kCount]) {
  constexpr int kStep = kCount < 8 ? kCount : 8;
  using Vector = std::conditional_t<kStep == 8, uint4, uint2>;
#pragma unroll
  for (int first = 0; first < kCount; first += kStep) {
    const Vector vector = *reinterpret_cast<const Vector*>(input + first);
    const auto* words = reinterpret_cast<const uint32_t*>(&vector);
#pragma unroll
    for (int i = 0; i < kStep / 2; ++i) {
      const float2 pair = quant::unpack_bf16(words[i]);
      values[first + 2 * i] = pair.x;
      values[first + 2 * i + 1] = pair.y;
    }
  }
}

/// Run `run` of the stage's part of a row, which begins at `part`.
template <quant::BlockFormat kFormat, int kCount>
__device__ inline void load_weights(const uint8_t* part, int run, float (&values)[kCount]) {
  using quant::BlockFormat;
  if constexpr (StageShape<kFormat, 1>::kIsPlain) {
    const uint4 vector = reinterpret_cast<const uint4*>(part)[run];
    const uint32_t words[4] = {vector.x, vector.y, vector.z, vector.w};
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      if constexpr (kFormat == BlockFormat::kF32) {
        values[i] = __uint_as_float(words[i]);
      } else {
        const float2 pair = kFormat == BlockFormat::kF16 ? quant::unpack_half(words[i])
                                                         : quant::unpack_bf16(words[i]);
        values[2 * i] = pair.x;
        values[2 * i + 1] = pair.y;
      }
    }
  } else {
    quant::decode_run(quant::Format<kFormat>{}, part, run, values);
  }
}

template <int kCount>
__device__ inline float dot(const float (&weights)[kCount], const float (&input)[kCount]) {
  float even = 0.f;
  float odd = 0.f;
#pragma unroll
  for (int i = 0; i < kCount; i += 2) {
    even = fmaf(weights[i], input[i], even);
    odd = fmaf(weights[i + 1], input[i + 1], odd);
  }
  return even + odd;
}

}  // namespace longview::decoder
