// Whether a model and a context fit into device memory, told before anything is allocated.
#pragma once

#include <cstddef>
#include <optional>
#include <string>

#include "decoder/model_spec.h"
#include "decoder/weight_layout.h"

namespace longview::decoder {

struct MemoryDemand {
  size_t bf16_weight_bytes;
  size_t stored_weight_bytes;   // matrices as stored in the file
  size_t fp8_weight_bytes;      // copies for fp8 prefill, beside either; 0 without it
  size_t layer_scratch_bytes;   // one layer in bf16: needed beside stored weights
  size_t workspace_bytes;       // of prefill, decode and sampling
  size_t kv_block_bytes;        // K and V of KV_BLOCK_TOKENS tokens, all layers
};

struct MemoryPlan {
  WeightForm form;
  int context_tokens;
  int kv_blocks;  // of one context, and of earlier prompts that are kept
  size_t weight_bytes;
  size_t fp8_weight_bytes;  // copies for fp8 prefill
  size_t workspace_bytes;   // the layer's scratch included
  size_t kv_bytes;
  int fitting_tokens;  // the longest context that would fit with these weights
};

/// What the driver, the CUDA context and the kernels' code take beside our own allocations, and what
/// is left to others on the same device.
constexpr size_t kReservedBytes = size_t{400} << 20;

/// The pool holds this many contexts where there is memory for it, of which it leaves half: prompts that
/// were computed once stay for the next question.
constexpr int kPoolContexts = 3;

/// Plans `context_tokens` in `free_bytes`: with bf16 weights where they fit, else with the weights as
/// stored, unless `form` names one.
/// @throws MemoryError when it does not fit, with the figures and the context that does.
MemoryPlan plan_memory(const MemoryDemand& demand, int context_tokens, size_t free_bytes,
                       std::optional<WeightForm> form = std::nullopt);

/// "weights 3.1 GB + KV 3.8 GB for 131,072 tokens + workspace 0.3 GB".
std::string describe(const MemoryPlan& plan);

}  // namespace longview::decoder
