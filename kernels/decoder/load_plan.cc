#include "decoder/load_plan.h"

#include <algorithm>
#include <stdexcept>
#include <utility>

#include "attention/decode/api.h"
#include "common/kv_block.h"
#include "decoder/errors.h"
#include "decoder/fp8_layers.h"
#include "decoder/kv_pool.h"
#include "decoder/ops/sampling/api.h"
#include "decoder/persistent/api.h"
#include "decoder/pooled_key_cache.h"
#include "decoder/rope_tables.h"
#include "gemm/fp8/api.h"

namespace longview::decoder {

namespace {

size_t free_device_bytes() {
  size_t free_bytes = 0;
  size_t total_bytes = 0;
  LONGVIEW_CUDA(cudaMemGetInfo(&free_bytes, &total_bytes));
  return free_bytes;
}

}  // namespace

LoadPlan plan_load(const ModelSpec& spec, const TensorTable& tensors,
                   const DecoderOptions& options) {
  validate(spec);
  if (options.context_tokens < 1 || options.context_tokens > longest_context_tokens(spec)) {
    throw ContextError("a context of " + std::to_string(options.context_tokens) +
                       " tokens; the model reaches " +
                       std::to_string(longest_context_tokens(spec)));
  }
  if (options.chunk_tokens < 1) throw std::invalid_argument("a chunk without tokens");
  if (options.fp8_prefill && !gemm::Fp8Gemm::is_available()) {
    throw std::invalid_argument("fp8 needs a GPU of compute capability 8.9 or newer");
  }
  WeightLayout bf16 = lay_out_weights(spec, tensors, WeightForm::kBf16);
  WeightLayout stored = lay_out_weights(spec, tensors, WeightForm::kAsStored);
  WorkspaceSizes sizes{};
  sizes.chunk_tokens = std::min(options.chunk_tokens, options.context_tokens);
  sizes.decode_attention_bytes = attention::decode_workspace_bytes(
      {options.context_tokens, spec.num_heads, spec.num_kv_heads, spec.head_dim});
  sizes.persistent_bytes =
      persistent_workspace_bytes(spec.hidden_size, spec.feed_forward_size, spec.num_heads,
                                 spec.num_kv_heads, spec.head_dim);
  sizes.sampling_bytes = sample_workspace_bytes(spec.vocab_size);
  sizes.selection =
      selection_sizes(spec, sizes.chunk_tokens, options.context_tokens, options.pooled_keys);
  sizes.has_fp8_prefill = options.fp8_prefill;

  MemoryDemand demand{};
  demand.bf16_weight_bytes = bf16.size_bytes;
  demand.stored_weight_bytes = stored.size_bytes;
  demand.fp8_weight_bytes = options.fp8_prefill ? Fp8Layers::size_bytes(spec) : 0;
  demand.layer_scratch_bytes = bf16.shape.size_bytes;
  demand.workspace_bytes = WorkspaceLayout(spec, sizes).size_bytes;
  demand.kv_block_bytes = KvPool::block_bytes(spec) +
                          PooledKeyCache::block_bytes(spec, options.pooled_keys) +
                          RopeTables::size_bytes(spec.rope, KV_BLOCK_TOKENS);
  const MemoryPlan plan =
      plan_memory(demand, options.context_tokens, free_device_bytes(), options.form);
  const bool is_bf16 = plan.form == WeightForm::kBf16;
  if (!is_bf16) sizes.layer_scratch_bytes = demand.layer_scratch_bytes;
  return {std::move(is_bf16 ? bf16 : stored), plan, sizes};
}

}  // namespace longview::decoder
