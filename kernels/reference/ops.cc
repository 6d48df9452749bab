#include "reference/ops.h"

#include <cmath>
#include <cstddef>

namespace longview::reference {

void rms_norm(const float* input, const float* weight, float* output, int tokens, int features,
              float epsilon) {
  for (int token = 0; token < tokens; ++token) {
    const size_t row = static_cast<size_t>(token) * features;
    double squares = 0.0;
    for (int i = 0; i < features; ++i) {
      squares += static_cast<double>(input[row + i]) * input[row + i];
    }
    const double scale = 1.0 / std::sqrt(squares / features + epsilon);
    for (int i = 0; i < features; ++i) {
      output[row + i] = static_cast<float>(input[row + i] * scale * weight[i]);
    }
  }
}

void matrix_vector(const float* weight, const float* input, const float* bias,
                   const float* residual, float* output, int rows, int columns) {
  for (int row = 0; row < rows; ++row) {
    double sum = 0.0;
    for (int column = 0; column < columns; ++column) {
      sum +=
          static_cast<double>(weight[static_cast<size_t>(row) * columns + column]) * input[column];
    }
    if (bias != nullptr) sum += bias[row];
    if (residual != nullptr) sum += residual[row];
    output[row] = static_cast<float>(sum);
  }
}

void swiglu(const float* gate, const float* up, float* output, int features) {
  for (int i = 0; i < features; ++i) {
    const double value = gate[i];
    output[i] = static_cast<float>(value / (1.0 + std::exp(-value)) * up[i]);
  }
}

void rotate_head(const double* radians_per_position, double attention_factor, int position,
                 bool is_interleaved, int head_dim, float* head) {
  for (int pair = 0; pair < head_dim / 2; ++pair) {
    const int first = is_interleaved ? 2 * pair : pair;
    const int second = is_interleaved ? first + 1 : pair + head_dim / 2;
    const double angle = position * radians_per_position[pair];
    const double cosine = std::cos(angle) * attention_factor;
    const double sine = std::sin(angle) * attention_factor;
    const double a = head[first];
    const double b = head[second];
    head[first] = static_cast<float>(a * cosine - b * sine);
    head[second] = static_cast<float>(b * cosine + a * sine);
  }
}

}  // namespace longview::reference
