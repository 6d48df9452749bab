// Checks the CPU oracles of the decoder's operations, and the host's part of
// RoPE and sampling, on cases whose answer is known without computing it.
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <stdexcept>
#include <vector>

#include "decoder/ops/rope/frequencies.h"
#include "decoder/ops/sampling/random.h"
#include "reference/ops.h"

using namespace longview;

namespace {

int failures = 0;

void expect_near(const char *what, int index, double actual, double expected,
                 double tolerance) {
  if (std::abs(actual - expected) <= tolerance)
    return;
  std::printf("%s [%d]: %.17g, not %.17g\n", what, index, actual, expected);
  ++failures;
}

void test_rms_norm_of_equal_elements() {
  const std::vector<float> input{3.f, 3.f, -4.f, 4.f};
  const std::vector<float> weight{1.f, 2.f};
  std::vector<float> output(4, NAN);
  reference::rms_norm(input.data(), weight.data(), output.data(), 2, 2, 1e-12f);
  const float expected[4] = {1.f, 2.f, -1.f, 2.f};
  for (int i = 0; i < 4; ++i)
    expect_near("RMSNorm", i, output[i], expected[i], 1e-6);
}

void test_matrix_vector() {
  const std::vector<float> weight{1.f, 2.f, 3.f, -1.f, 0.f, 1.f};
  const std::vector<float> input{1.f, 10.f, 100.f};
  const float bias[2] = {0.5f, 0.25f};
  const float residual[2] = {1000.f, 2000.f};
  float output[2];
  reference::matrix_vector(weight.data(), input.data(), bias, residual, output,
                           2, 3);
  expect_near("matrix-vector", 0, output[0], 1321.5, 0);
  expect_near("matrix-vector", 1, output[1], 2099.25, 0);
}

void test_swiglu() {
  const float gate[3] = {0.f, 100.f, -100.f};
  const float up[3] = {7.f, 2.f, 2.f};
  float output[3];
  reference::swiglu(gate, up, output, 3);
  expect_near("SwiGLU", 0, output[0], 0.0, 0);
  expect_near("SwiGLU", 1, output[1], 200.0, 0);
  expect_near("SwiGLU", 2, output[2], 0.0, 1e-30);
}

void test_a_quarter_turn_swaps_a_pair() {
  const double radians[2] = {M_PI / 2, 0.0};
  float halves[4] = {1.f, 2.f, 3.f, 4.f};
  reference::rotate_head(radians, 1.0, 1, false, 4, halves);
  const float of_halves[4] = {-3.f, 2.f, 1.f, 4.f};
  float interleaved[4] = {1.f, 2.f, 3.f, 4.f};
  reference::rotate_head(radians, 2.0, 1, true, 4, interleaved);
  const float of_interleaved[4] = {-4.f, 2.f, 6.f, 8.f};
  for (int i = 0; i < 4; ++i) {
    expect_near("halves", i, halves[i], of_halves[i], 1e-6);
    expect_near("interleaved", i, interleaved[i], of_interleaved[i], 1e-6);
  }
}

decoder::RopeSpec spec_of(decoder::RopeScaling scaling) {
  decoder::RopeSpec spec{};
  spec.head_dim = 128;
  spec.base = 1e6;
  spec.scaling = scaling;
  spec.factor = 4.0;
  spec.original_context_tokens = 32768;
  return spec;
}

void test_plain_frequencies() {
  const auto plain =
      decoder::rope_frequencies(spec_of(decoder::RopeScaling::kNone));
  expect_near("frequencies", 0, plain.radians_per_position[0], 1.0, 0);
  expect_near("frequencies", 32, plain.radians_per_position[32], 1e-3, 1e-18);
  expect_near("attention factor", 0, plain.attention_factor, 1.0, 0);
}

/// Fast pairs are kept, slow ones slowed by the factor, and none in between
/// leaves these bounds.
void test_scaled_frequencies(decoder::RopeScaling scaling, const char *what) {
  const auto plain =
      decoder::rope_frequencies(spec_of(decoder::RopeScaling::kNone));
  const auto scaled = decoder::rope_frequencies(spec_of(scaling));
  const auto ratio = [&](int i) {
    return scaled.radians_per_position[i] / plain.radians_per_position[i];
  };
  expect_near(what, 0, ratio(0), 1.0, 0);
  expect_near(what, 63, ratio(63), 0.25, 1e-15);
  for (int i = 1; i < 64; ++i) {
    if (ratio(i) > ratio(i - 1) + 1e-15)
      expect_near(what, i, ratio(i), ratio(i - 1), 0);
  }
}

void test_yarn_attention_factor() {
  auto spec = spec_of(decoder::RopeScaling::kYarn);
  expect_near("YaRN", 0, decoder::rope_frequencies(spec).attention_factor,
              1.1386294361119891, 1e-15);
  spec.attention_factor = 0.75;
  expect_near("YaRN", 1, decoder::rope_frequencies(spec).attention_factor, 0.75,
              0);
}

void test_frequency_divisors() {
  auto spec = spec_of(decoder::RopeScaling::kNone);
  spec.frequency_divisors.assign(64, 1.f);
  spec.frequency_divisors[32] = 8.f;
  const auto divided = decoder::rope_frequencies(spec);
  expect_near("divisors", 32, divided.radians_per_position[32], 1.25e-4, 1e-18);
}

void test_bad_specs_are_refused() {
  auto odd = spec_of(decoder::RopeScaling::kNone);
  odd.head_dim = 127;
  auto shrinking = spec_of(decoder::RopeScaling::kYarn);
  shrinking.factor = 0.5;
  auto divisors = spec_of(decoder::RopeScaling::kNone);
  divisors.frequency_divisors.assign(63, 1.f);
  for (const auto &spec : {odd, shrinking, divisors}) {
    try {
      decoder::rope_frequencies(spec);
      std::printf("a bad RoPE spec was accepted\n");
      ++failures;
    } catch (const std::invalid_argument &) {
    }
  }
}

/// What `seededRandom` of the CPU backend gives.
void test_random_numbers() {
  const double expected[2][3] = {
      {0.8361799405747219, 0.80589829654287, 0.26548644323319615},
      {0.5604785707579658, 0.19833141389046005, 0.49367830978320015}};
  const double seeds[2] = {42.0, 0.1};
  for (int s = 0; s < 2; ++s) {
    uint32_t state[4];
    decoder::seed_random(seeds[s], state);
    for (int i = 0; i < 3; ++i) {
      expect_near("random", 3 * s + i, decoder::next_random(state),
                  expected[s][i], 0);
    }
  }
}

} // namespace

int main() {
  test_rms_norm_of_equal_elements();
  test_matrix_vector();
  test_swiglu();
  test_a_quarter_turn_swaps_a_pair();
  test_plain_frequencies();
  test_scaled_frequencies(decoder::RopeScaling::kLlama3, "llama3");
  test_scaled_frequencies(decoder::RopeScaling::kYarn, "YaRN");
  test_yarn_attention_factor();
  test_frequency_divisors();
  test_bad_specs_are_refused();
  test_random_numbers();
  std::printf(failures == 0 ? "operations: ok\n" : "operations: %d wrong\n",
              failures);
  return failures == 0 ? 0 : 1;
}
