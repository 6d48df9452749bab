// What loading a model allocates, told before anything is allocated.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "decoder/memory_plan.h"
#include "decoder/prefill.h"
#include "decoder/weight_layout.h"
#include "decoder/workspace.h"

namespace longview::decoder {

struct DecoderOptions {
  std::vector<std::string> paths;  // of the model's files
  int context_tokens;
  int chunk_tokens;                // the longest prefill call
  int pooled_keys;                 // fewest that a selection averages; 0: all prefill is dense
  std::optional<WeightForm> form;  // none: bf16 where it fits
  bool fp8_prefill = false;        // prefill multiplies in e4m3: faster, and less exact
  PrefillKernels kernels = PrefillKernels::kFastest;
};

struct LoadPlan {
  WeightLayout layout;
  MemoryPlan memory;
  WorkspaceSizes sizes;
};

/// Plans for the memory that is free on the current device.
/// @throws MemoryError where the model does not fit; ModelError for a model that cannot run;
/// ContextError for a context beyond the model's; std::invalid_argument, CudaError.
LoadPlan plan_load(const ModelSpec& spec, const TensorTable& tensors,
                   const DecoderOptions& options);

}  // namespace longview::decoder
