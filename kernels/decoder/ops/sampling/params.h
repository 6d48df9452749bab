// Choosing a token from logits: what one call needs to know.
#pragma once

#include <cstddef>
#include <cstdint>

namespace longview::decoder {

/// How to choose, and the state of the random numbers. Lies in device memory, so that one CUDA
/// graph serves every request; each call with a temperature advances the state.
struct SamplerState {
  double temperature;         // <= 0: the likeliest token
  double top_p;               // >= 1 keeps all
  int32_t top_k;              // 0 keeps all
  uint32_t random[4];         // xoshiro128**; see seeded_sampler()
  uint32_t random_before[4];  // as they were before the last choice, to take it back
};

enum SampleStatus : int32_t {
  kSampled = 0,
  kUnusableLogit = 1,  // a logit is NaN or +infinity; `token` is the first such
  kNoFiniteLogit = 2,  // all logits are -infinity; `token` is -1
};

struct SampleResult {
  int32_t token;
  SampleStatus status;
};

struct SampleParams {
  const float* logits;     // fp32 [candidates or more] in device memory
  int candidates;          // ids from here on are never chosen; 1 to 524,288
  SamplerState* state;     // device memory, aligned to 8 bytes
  SampleResult* result;    // memory that the device can write: its own, or pinned host memory; with
                           // next_position, two results, of which its parity chooses
  int32_t* next_token;     // device memory or null: receives the token as well, unless it has none
  int32_t* next_position;  // device memory or null: is incremented after that
  int32_t* next_kv_len;    // device memory or null: is incremented, too
  void* workspace;  // sample_workspace_bytes(candidates) bytes of device memory, aligned to 16;
                    // its contents need not be kept between calls
};

}  // namespace longview::decoder
