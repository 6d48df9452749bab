// CPU oracle of fp8: e4m3 (4 bits of exponent, 3 of fraction, no infinities), and rows rounded to it.
#pragma once

#include <cstdint>

namespace longview::reference {

/// The value of `bits`; NaN for 0x7F and 0xFF.
float e4m3_to_float(uint8_t bits);

/// The nearest e4m3, ties to even; beyond the largest, 448, that one. NaN stays NaN.
uint8_t float_to_e4m3(float value);

/// input [rows, features]; norm_weight [features], or null: rows are taken as they are;
/// output [rows, features] in e4m3; scales [rows].
void quantize_rows(const float* input, const float* norm_weight, float norm_epsilon, uint8_t* output,
                   float* scales, int rows, int features);

}  // namespace longview::reference
