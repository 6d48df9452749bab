// The oracle of the linear layers' products against sums done by hand.
#include <cmath>
#include <cstdio>
#include <vector>

#include "reference/gemm.h"

using longview::reference::GemmEpilogue;
using longview::reference::GemmParams;

namespace {

int failures = 0;

void expect_near(const char* what, float actual, double expected) {
  if (std::abs(actual - expected) <= 1e-6 * (1 + std::abs(expected))) return;
  std::printf("%s: %g, not %g\n", what, actual, expected);
  ++failures;
}

void bias_and_residual_are_added() {
  const std::vector<float> activations{1, 2, -1, 0.5};    // 2 tokens
  const std::vector<float> weights{3, 4, -5, 6, 0, 1};    // 3 features of 2
  const std::vector<float> bias{10, 20, 30};
  const std::vector<float> residual{1, 2, 3, 4, 5, 6};
  std::vector<float> output(6);
  GemmParams params{activations.data(), weights.data(), output.data(), bias.data(), residual.data(),
                    GemmEpilogue::kNone, 2, 2, 3, 1};
  const double sums[] = {11, 7, 2, -1, 8, 0.5};
  longview::reference::gemm(params);
  for (int i = 0; i < 6; ++i) expect_near("none", output[i], sums[i]);
  params.epilogue = GemmEpilogue::kBias;
  longview::reference::gemm(params);
  for (int i = 0; i < 6; ++i) expect_near("bias", output[i], sums[i] + bias[i % 3]);
  params.epilogue = GemmEpilogue::kResidual;
  longview::reference::gemm(params);
  for (int i = 0; i < 6; ++i) expect_near("residual", output[i], sums[i] + residual[i]);
}

void gates_and_ups_take_turns() {
  const std::vector<float> activations{1};
  // Turns of two rows: gates 1 and 2, ups 10 and 20, gates 3 and 4, ups 30 and 40.
  const std::vector<float> weights{1, 2, 10, 20, 3, 4, 30, 40};
  std::vector<float> output(4);
  const GemmParams params{activations.data(), weights.data(), output.data(), nullptr, nullptr,
                          GemmEpilogue::kSwiglu, 1, 1, 8, 2};
  longview::reference::gemm(params);
  for (int i = 0; i < 4; ++i) {
    const double gate = i + 1;
    expect_near("swiglu", output[i], gate / (1 + std::exp(-gate)) * 10 * gate);
  }
}

}  // namespace

int main() {
  bias_and_residual_are_added();
  gates_and_ups_take_turns();
  std::printf("%d failed\n", failures);
  return failures == 0 ? 0 : 1;
}
