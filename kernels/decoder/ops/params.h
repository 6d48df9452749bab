// What the decoder's small operations need to know about one call. All tensors are in device
// memory, row-major, and aligned to 16 bytes unless said otherwise; norm weights are fp32.
#pragma once

#include <cstdint>

#include "quant/weight_matrix.h"

namespace longview::decoder {

/// Rows of the embedding table, one for each token.
struct EmbeddingParams {
  quant::WeightMatrix table;  // [vocabulary, features]
  const int32_t* token_ids;   // [tokens]; an id outside the table gives a row of NaN
  void* output;               // bf16 [tokens, features]
  int tokens;                 // >= 0; 0 does nothing
};

/// output = input / sqrt(mean(input^2) + epsilon) * weight, row by row, in fp32.
struct RmsNormParams {
  const void* input;    // bf16 [tokens, features]
  const float* weight;  // [features]
  void* output;         // bf16 [tokens, features]; may be `input`
  int tokens;           // >= 0; 0 does nothing
  int features;         // a multiple of 8
  float epsilon;        // > 0
};

/// output = silu(gate) * up, in fp32. A row of `gate_up` holds `features` gates, then as many ups.
struct SwigluParams {
  const void* gate_up;  // bf16 [tokens, 2 * features]
  void* output;         // bf16 [tokens, features]
  int tokens;           // >= 0; 0 does nothing
  int features;         // a multiple of 8
};

}  // namespace longview::decoder
