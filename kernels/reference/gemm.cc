#include "reference/gemm.h"

#include <cmath>
#include <cstdint>

namespace longview::reference {

namespace {

double dot(const float* a, const float* b, int length) {
  double sum = 0;
  for (int i = 0; i < length; ++i) sum += double{a[i]} * b[i];
  return sum;
}

double silu(double x) { return x / (1 + std::exp(-x)); }

}  // namespace

void gemm(const GemmParams& params) {
  const bool is_swiglu = params.epilogue == GemmEpilogue::kSwiglu;
  const int columns = is_swiglu ? params.out_features / 2 : params.out_features;
  for (int token = 0; token < params.tokens; ++token) {
    const float* const row = params.activations + int64_t{token} * params.in_features;
    const auto sum = [&](int feature) {
      return dot(row, params.weights + int64_t{feature} * params.in_features, params.in_features);
    };
    for (int column = 0; column < columns; ++column) {
      const int64_t at = int64_t{token} * columns + column;
      if (is_swiglu) {
        const int block = params.swiglu_row_block;
        const int gate = column / block * 2 * block + column % block;
        params.output[at] = static_cast<float>(silu(sum(gate)) * sum(gate + block));
        continue;
      }
      double value = sum(column);
      if (params.epilogue == GemmEpilogue::kBias) value += params.bias[column];
      if (params.epilogue == GemmEpilogue::kResidual) value += params.residual[at];
      params.output[at] = static_cast<float>(value);
    }
  }
}

}  // namespace longview::reference
