#include "decoder/ops/rope/frequencies.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "decoder/ops/checks.h"

namespace longview::decoder {

namespace {

constexpr double kTwoPi = 6.283185307179586;
constexpr int kMaxHeadDim = 256;

void check(const RopeSpec& spec) {
  const Checks checks("RoPE frequencies");
  checks.require(spec.head_dim >= 2 && spec.head_dim <= kMaxHeadDim && spec.head_dim % 2 == 0,
                 "head_dim " + std::to_string(spec.head_dim));
  checks.require(std::isfinite(spec.base) && spec.base > 1.0, "base is not above 1");
  checks.require(spec.frequency_divisors.empty() ||
                     spec.frequency_divisors.size() == static_cast<size_t>(spec.head_dim / 2),
                 std::to_string(spec.frequency_divisors.size()) +
                     " frequency divisors for head_dim " + std::to_string(spec.head_dim));
  for (const float divisor : spec.frequency_divisors) {
    checks.require(divisor > 0.f && std::isfinite(divisor), "a frequency divisor is not positive");
  }
  if (spec.scaling == RopeScaling::kNone) return;
  checks.require(std::isfinite(spec.factor) && spec.factor >= 1.0, "factor is below 1");
  checks.require(spec.original_context_tokens > 0, "original_context_tokens is not positive");
  if (spec.scaling == RopeScaling::kLlama3) {
    checks.require(
        0.0 < spec.low_frequency_factor && spec.low_frequency_factor < spec.high_frequency_factor,
        "low_frequency_factor is not between 0 and high_frequency_factor");
  } else {
    checks.require(0.0 < spec.beta_slow && spec.beta_slow < spec.beta_fast,
                   "beta_slow is not between 0 and beta_fast");
  }
}

/// Slow turns are slowed by the factor, fast ones are kept, those between are interpolated.
double llama3_scaled(double frequency, const RopeSpec& spec) {
  const double turns = spec.original_context_tokens * frequency / kTwoPi;
  const double kept = (turns - spec.low_frequency_factor) /
                      (spec.high_frequency_factor - spec.low_frequency_factor);
  const double share = std::clamp(kept, 0.0, 1.0);
  return frequency * (share + (1.0 - share) / spec.factor);
}

/// The pair (not an integer) that makes `turns` turns in the original context.
double pair_of_turns(double turns, const RopeSpec& spec) {
  return spec.head_dim * std::log(spec.original_context_tokens / (turns * kTwoPi)) /
         (2.0 * std::log(spec.base));
}

double yarn_scaled(double frequency, int pair, const RopeSpec& spec) {
  const double low = std::max(std::floor(pair_of_turns(spec.beta_fast, spec)), 0.0);
  double high = std::min(std::ceil(pair_of_turns(spec.beta_slow, spec)), spec.head_dim - 1.0);
  if (high == low) high += 0.001;
  const double slowed = std::clamp((pair - low) / (high - low), 0.0, 1.0);
  return frequency * (1.0 - slowed + slowed / spec.factor);
}

double attention_factor(const RopeSpec& spec) {
  if (spec.scaling != RopeScaling::kYarn) return 1.0;
  if (spec.attention_factor > 0.0) return spec.attention_factor;
  return 0.1 * std::log(spec.factor) + 1.0;
}

}  // namespace

RopeFrequencies rope_frequencies(const RopeSpec& spec) {
  check(spec);
  RopeFrequencies result{{}, attention_factor(spec)};
  for (int pair = 0; pair < spec.head_dim / 2; ++pair) {
    double frequency = std::pow(spec.base, -2.0 * pair / spec.head_dim);
    if (!spec.frequency_divisors.empty()) frequency /= spec.frequency_divisors[pair];
    if (spec.scaling == RopeScaling::kLlama3) frequency = llama3_scaled(frequency, spec);
    if (spec.scaling == RopeScaling::kYarn) frequency = yarn_scaled(frequency, pair, spec);
    result.radians_per_position.push_back(frequency);
  }
  return result;
}

}  // namespace longview::decoder
