#include "decoder/sparse_attention.h"

#include <algorithm>
#include <tuple>

#include "common/cuda_error.h"

namespace longview::decoder {

namespace {

using attention::SelectionSettings;

attention::SelectionHeads heads_of(const ModelSpec& spec) {
  return {spec.num_heads, spec.num_kv_heads, spec.head_dim};
}

/// Most rows of a tile that a selection samples: the largest workspace.
constexpr int kMostSampledRows = 32;

bool same(const SelectionSettings& a, const SelectionSettings& b) {
  const auto parts = [](const SelectionSettings& s) {
    return std::make_tuple(s.strategy, s.pooled_keys, s.tiles.sampled_rows, s.tiles.score,
                           s.strips.segment_tokens, s.strips.alpha_slashes, s.columns.row_step,
                           s.columns.window_share, s.alpha, s.count_forced_mass, s.sink_blocks,
                           s.window_tokens, s.min_blocks, s.max_blocks, s.dense_above);
  };
  return parts(a) == parts(b);
}

}  // namespace

SelectionSizes selection_sizes(const ModelSpec& spec, int chunk_tokens, int context_tokens,
                               int fewest_pooled_keys) {
  if (fewest_pooled_keys == 0) return {};
  SelectionSettings settings;
  settings.tiles.sampled_rows = kMostSampledRows;
  settings.pooled_keys = fewest_pooled_keys;
  const size_t lists = size_t{1} * spec.num_heads * attention::selection_tiles(chunk_tokens);
  SelectionSizes sizes{};
  sizes.lists_bytes = sizeof(uint16_t) * lists * attention::selection_pitch(context_tokens);
  sizes.counts = lists * spec.layers;
  sizes.workspace_bytes = attention::BlockSelector(settings).workspace_bytes(
      heads_of(spec), chunk_tokens, context_tokens);
  return sizes;
}

SparseAttention::SparseAttention(const ModelSpec& spec, int chunk_tokens,
                                 attention::PrefillKernel kernel)
    : attention_(spec.num_heads * attention::selection_tiles(chunk_tokens), kernel),
      selection_kernels_(kernel == attention::PrefillKernel::kPortable
                             ? attention::SelectionKernels::kPortable
                             : attention::SelectionKernels::kFastest),
      device_head_alpha_(size_t{1} * spec.layers * spec.num_heads) {}

void SparseAttention::prepare(const SparseRequest& request, cudaStream_t stream) {
  if (request.head_alpha.empty() || request.head_alpha == head_alpha_) return;
  // Pageable memory is read before the call returns.
  LONGVIEW_CUDA(cudaMemcpyAsync(device_head_alpha_.data(), request.head_alpha.data(),
                                sizeof(float) * request.head_alpha.size(), cudaMemcpyHostToDevice,
                                stream));
  head_alpha_ = request.head_alpha;
}

void SparseAttention::run(const attention::DensePrefillParams& dense, const SparseRequest& request,
                          const SelectionPlace& place, const Stream& stream) {
  attention::SelectionParams params{};
  params.query = dense.query;
  params.key = dense.key;
  params.pooled_key = place.pooled_key;
  params.q_len = dense.q_len;
  params.kv_len = dense.kv_len;
  params.heads = {dense.num_heads, dense.num_kv_heads, dense.head_dim};
  params.softmax_scale = dense.softmax_scale;
  params.block_table = dense.block_table;
  params.pool_blocks = dense.pool_blocks;
  params.pool_from = place.pool_from;
  params.dense_from = request.dense_from_token;
  if (!request.head_alpha.empty()) {
    params.head_alpha = device_head_alpha_.data() + size_t{1} * place.layer * dense.num_heads;
  }
  params.workspace = place.workspace;
  params.blocks = place.blocks;
  params.counts = place.counts;
  params.max_blocks = attention::selection_pitch(dense.kv_len);
  clock_.begin(place.layer, stream);
  selector(request.settings).run(params, stream.get());
  clock_.end(place.layer, stream);
  attention_.run(dense, attention::lists_of(params), stream.get());
}

const attention::BlockSelector& SparseAttention::selector(const SelectionSettings& settings) {
  if (!selector_ || !same(selector_->settings(), settings)) {
    selector_.reset();
    selector_.emplace(settings, selection_kernels_);
  }
  return *selector_;
}

BlockTotals total_blocks(const std::vector<int32_t>& counts, int lists, int q_len, int kv_len) {
  BlockTotals totals{};
  for (const int32_t count : counts) totals.kept += count;
  const int first = kv_len - q_len;
  for (int row = first; row < kv_len; row += attention::kSelectionTileRows) {
    const int end = std::min(row + attention::kSelectionTileRows, kv_len);
    totals.visible += static_cast<double>(lists) * attention::selection_blocks(end);
  }
  return totals;
}

}  // namespace longview::decoder
