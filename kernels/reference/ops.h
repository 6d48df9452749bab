// CPU oracles of the decoder's operations: plain loops, fp32 in and out, double accumulation.
// Shapes and meanings as in decoder/ops.
#pragma once

namespace longview::reference {

/// input, output [tokens, features]; weight [features].
void rms_norm(const float* input, const float* weight, float* output, int tokens, int features,
              float epsilon);

/// weight [rows, columns]; input [columns]; bias, residual [rows] or null; output [rows].
void matrix_vector(const float* weight, const float* input, const float* bias,
                   const float* residual, float* output, int rows, int columns);

/// output[i] = silu(gate[i]) * up[i].
void swiglu(const float* gate, const float* up, float* output, int features);

/// Turns the pairs of one head by `position * radians_per_position[pair]`, scaled by
/// `attention_factor`; pair i is elements i and i + head_dim / 2, or 2i and 2i + 1 where
/// interleaved.
void rotate_head(const double* radians_per_position, double attention_factor, int position,
                 bool is_interleaved, int head_dim, float* head);

}  // namespace longview::reference
