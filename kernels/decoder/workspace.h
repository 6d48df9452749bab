// The memory that every step works in, allocated once.
#pragma once

#include <cstddef>
#include <cstdint>

#include "common/device_buffer.h"
#include "common/pinned_buffer.h"
#include "decoder/model_spec.h"
#include "decoder/ops/sampling/params.h"
#include "decoder/sparse_attention.h"

namespace longview::decoder {

/// What changes from step to step, read by the kernels from device memory, so that a recorded graph
/// serves every step. A decode step leaves here what the next one needs. Each field is aligned as
/// the kernels want it.
struct StepInput {
  alignas(16) int32_t token;
  alignas(16) int32_t position;  // of the first token of the step
  alignas(16) int32_t kv_len;    // tokens with the step's own
};

struct WorkspaceSizes {
  int chunk_tokens;
  size_t layer_scratch_bytes;  // 0: none
  bool has_fp8_prefill;
  size_t decode_attention_bytes;
  size_t persistent_bytes;
  size_t sampling_bytes;
  SelectionSizes selection;
};

/// Offsets into one allocation; all of it in bf16 but the logits and the token ids.
struct WorkspaceLayout {
  WorkspaceLayout(const ModelSpec& spec, const WorkspaceSizes& sizes);

  size_t hidden;      // [chunk, hidden_size]: the residual stream
  size_t normed;      // [chunk, hidden_size or query_size]: input of QKV and gate/up, attention's result
  size_t qkv;         // [chunk, qkv_size]
  size_t query;       // [chunk, query_size]
  size_t activation;  // [chunk, feed_forward_size], or what a selection works in
  size_t gate_up;     // [2 * feed_forward_size]: of one token
  size_t rounded;     // e4m3 [chunk, the widest of the products' inputs], with fp8 prefill
  size_t rounded_scales;  // fp32 [chunk], likewise
  size_t token_ids;   // int32 [chunk]
  size_t step;        // StepInput
  size_t logits;      // fp32 [vocab_size]
  size_t layer_scratch;
  size_t decode_attention;
  size_t persistent;  // what PersistentParams::workspace says
  size_t sampling;
  size_t block_lists;   // of one layer's selection
  size_t block_counts;  // int32, of all layers'
  size_t size_bytes;
};

class Workspace {
 public:
  Workspace(const ModelSpec& spec, const WorkspaceSizes& sizes);

  std::byte* hidden() const { return at(layout_.hidden); }
  std::byte* normed() const { return at(layout_.normed); }
  std::byte* qkv() const { return at(layout_.qkv); }
  std::byte* query() const { return at(layout_.query); }
  std::byte* activation() const { return at(layout_.activation); }
  std::byte* gate_up() const { return at(layout_.gate_up); }
  std::byte* rounded() const { return at(layout_.rounded); }
  float* rounded_scales() const { return reinterpret_cast<float*>(at(layout_.rounded_scales)); }
  int32_t* token_ids() const { return reinterpret_cast<int32_t*>(at(layout_.token_ids)); }
  StepInput* step() const { return reinterpret_cast<StepInput*>(at(layout_.step)); }
  float* logits() const { return reinterpret_cast<float*>(at(layout_.logits)); }
  std::byte* layer_scratch() const { return at(layout_.layer_scratch); }
  std::byte* decode_attention() const { return at(layout_.decode_attention); }
  std::byte* persistent() const { return at(layout_.persistent); }
  std::byte* sampling() const { return at(layout_.sampling); }

  /// Of a selection. It comes before the layer's feed-forward network and lies where that works.
  std::byte* selection() const { return activation(); }
  uint16_t* block_lists() const { return reinterpret_cast<uint16_t*>(at(layout_.block_lists)); }
  int32_t* block_counts() const { return reinterpret_cast<int32_t*>(at(layout_.block_counts)); }

  // Page-locked: what the host writes before a step and reads after it. Samples: [2], in turns, as
  // SampleParams says.
  int32_t* host_token_ids() const { return host_token_ids_.data(); }
  StepInput* host_step() const { return host_step_.data(); }
  SampleResult* host_sample() const { return host_sample_.data(); }
  int32_t* host_block_counts() const { return host_block_counts_.data(); }

 private:
  std::byte* at(size_t offset) const { return memory_.data() + offset; }

  WorkspaceLayout layout_;
  DeviceBuffer<std::byte> memory_;
  PinnedBuffer<int32_t> host_token_ids_;
  PinnedBuffer<StepInput> host_step_;
  PinnedBuffer<SampleResult> host_sample_;
  PinnedBuffer<int32_t> host_block_counts_;
};

}  // namespace longview::decoder
