// From a model's description of its rotary positions to how fast each pair turns. Host code; it
// builds without CUDA.
#pragma once

#include "decoder/ops/rope/params.h"

namespace longview::decoder {

/// In double precision, on the CPU. YaRN and llama3 scaling are those of Hugging Face transformers
/// (`modeling_rope_utils.py`; YaRN: arXiv 2309.00071, with its bounds rounded outwards).
/// @throws std::invalid_argument for a spec outside its limits.
RopeFrequencies rope_frequencies(const RopeSpec& spec);

}  // namespace longview::decoder
