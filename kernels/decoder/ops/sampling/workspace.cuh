// What the sampling kernels hand to each other.
#pragma once

#include <cstddef>
#include <cstdint>

namespace longview::decoder {

constexpr int kMaxCandidates = 1 << 19;
constexpr int kSurveyBlocks = 64;
constexpr int kSurveyThreads = 256;
constexpr int kBins = 2048;

/// What one block of the survey found in its share of the logits.
struct Survey {
  float maximum;
  int32_t likeliest;       // the lowest id with that logit; -1: no finite logit
  int32_t first_unusable;  // the lowest id with NaN or +infinity; kMaxCandidates: none
};

/// Tokens of one bin. A token's mass is its weight relative to the likeliest, in units of 2^-44: so
/// that the sum of 2^19 fits 64 bits, and sums do not depend on their order.
struct Bin {
  unsigned long long mass;
  unsigned int count;
};

struct SampleWorkspace {
  Survey surveys[kSurveyBlocks];
  Bin bins[kBins];
  int32_t listed[];  // [candidates] tokens of the bin looked into
};

}  // namespace longview::decoder
