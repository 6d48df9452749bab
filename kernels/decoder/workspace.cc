#include "decoder/workspace.h"

#include <algorithm>

#include "decoder/region.h"

namespace longview::decoder {

namespace {

constexpr size_t kBf16Bytes = 2;

}  // namespace

WorkspaceLayout::WorkspaceLayout(const ModelSpec& spec, const WorkspaceSizes& sizes)
    : rounded(0), rounded_scales(0) {
  RegionCounter regions;
  const auto reserve_rows = [&](int rows, int features) {
    return regions.reserve(kBf16Bytes * rows * features);
  };
  hidden = reserve_rows(sizes.chunk_tokens, spec.hidden_size);
  normed = reserve_rows(sizes.chunk_tokens, std::max(spec.hidden_size, spec.query_size()));
  qkv = reserve_rows(sizes.chunk_tokens, spec.qkv_size());
  query = reserve_rows(sizes.chunk_tokens, spec.query_size());
  activation = regions.reserve(
      std::max(kBf16Bytes * sizes.chunk_tokens * spec.feed_forward_size, sizes.selection.workspace_bytes));
  gate_up = reserve_rows(2, spec.feed_forward_size);
  if (sizes.has_fp8_prefill) {
    const int widest = std::max({spec.hidden_size, spec.query_size(), spec.feed_forward_size});
    rounded = regions.reserve(size_t{1} * sizes.chunk_tokens * widest);
    rounded_scales = regions.reserve(sizeof(float) * sizes.chunk_tokens);
  }
  token_ids = regions.reserve(sizeof(int32_t) * sizes.chunk_tokens);
  step = regions.reserve(sizeof(StepInput));
  logits = regions.reserve(sizeof(float) * spec.vocab_size);
  layer_scratch = regions.reserve(sizes.layer_scratch_bytes);
  decode_attention = regions.reserve(sizes.decode_attention_bytes);
  persistent = regions.reserve(sizes.persistent_bytes);
  sampling = regions.reserve(sizes.sampling_bytes);
  block_lists = regions.reserve(sizes.selection.lists_bytes);
  block_counts = regions.reserve(sizeof(int32_t) * sizes.selection.counts);
  size_bytes = regions.size_bytes();
}

Workspace::Workspace(const ModelSpec& spec, const WorkspaceSizes& sizes)
    : layout_(spec, sizes),
      memory_(layout_.size_bytes),
      host_token_ids_(sizes.chunk_tokens),
      host_step_(1),
      host_sample_(2),
      host_block_counts_(sizes.selection.counts) {
  LONGVIEW_CUDA(cudaMemset(persistent(), 0, sizes.persistent_bytes));
  LONGVIEW_CUDA(cudaDeviceSynchronize());  // our streams do not wait for the default one
}

}  // namespace longview::decoder
