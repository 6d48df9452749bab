// CPU oracle of dequantisation: plain loops after ggml's reference (`ggml-quants.c`).
#pragma once

#include <cstdint>

namespace longview::reference {

/// `count` elements from whole blocks of the format with ggml's number `ggml_type` (0 F32, 1 F16,
/// 3 Q4_1, 6 Q5_0, 8 Q8_0, 12 Q4_K, 14 Q6_K, 30 BF16).
/// @throws std::invalid_argument for another format or for a count that is not whole blocks.
void dequantize(int ggml_type, const uint8_t* blocks, int64_t count, float* values);

/// The nearest bf16, ties to even; a NaN stays one.
uint16_t to_bf16(float value);

}  // namespace longview::reference
