// From the structures of longview_attention.h to those of attention/. Host code, without CUDA.
#pragma once

#include <stdexcept>
#include <string>

#include "attention/block_lists.h"
#include "attention/dense/params.h"
#include "attention/selection/params.h"
#include "attention/selection/settings.h"
#include "capi/longview_attention.h"

namespace longview::capi {

inline attention::DensePrefillParams params_of(const longview_prefill_call& call) {
  attention::DensePrefillParams params{};
  params.query = call.query;
  params.key = call.key;
  params.value = call.value;
  params.output = call.output;
  params.q_len = call.q_len;
  params.kv_len = call.kv_len;
  params.num_heads = call.num_heads;
  params.num_kv_heads = call.num_kv_heads;
  params.head_dim = call.head_dim;
  params.softmax_scale = call.softmax_scale;
  params.block_table = call.block_table;
  params.pool_blocks = call.pool_blocks;
  return params;
}

inline attention::BlockLists lists_of(const longview_lists& lists) {
  return {lists.blocks, lists.counts, lists.tiles, lists.max_blocks};
}

inline attention::SelectionHeads heads_of(const longview_heads& heads) {
  return {heads.num_heads, heads.num_kv_heads, heads.head_dim};
}

/// `value` as an enumerator up to `last`.
/// @throws std::invalid_argument for any other number, in the name of `what`.
template <class Enum>
Enum enumerator_of(int value, Enum last, const char* what) {
  if (value < 0 || value > static_cast<int>(last)) {
    throw std::invalid_argument(std::string(what) + " " + std::to_string(value) +
                                " is not between 0 and " + std::to_string(static_cast<int>(last)));
  }
  return static_cast<Enum>(value);
}

/// @throws std::invalid_argument for a strategy or a score that does not exist.
inline attention::SelectionSettings settings_of(const longview_selection_settings& settings) {
  attention::SelectionSettings result;
  result.strategy =
      enumerator_of(settings.strategy, attention::SelectionStrategy::kColumns, "strategy");
  result.pooled_keys = settings.pooled_keys;
  result.tiles.sampled_rows = settings.tiles.sampled_rows;
  result.tiles.score =
      enumerator_of(settings.tiles.score, attention::BlockScore::kMaximum, "score");
  result.strips.segment_tokens = settings.strips.segment_tokens;
  result.strips.alpha_slashes = settings.strips.alpha_slashes;
  result.columns.row_step = settings.columns.row_step;
  result.columns.window_share = settings.columns.window_share;
  result.alpha = settings.alpha;
  result.count_forced_mass = settings.count_forced_mass != 0;
  result.sink_blocks = settings.sink_blocks;
  result.window_tokens = settings.window_tokens;
  result.min_blocks = settings.min_blocks;
  result.max_blocks = settings.max_blocks;
  result.dense_above = settings.dense_above;
  return result;
}

inline longview_selection_settings settings_of(const attention::SelectionSettings& settings) {
  longview_selection_settings result{};
  result.strategy = static_cast<int>(settings.strategy);
  result.pooled_keys = settings.pooled_keys;
  result.tiles = {settings.tiles.sampled_rows, static_cast<int>(settings.tiles.score)};
  result.strips = {settings.strips.segment_tokens, settings.strips.alpha_slashes};
  result.columns = {settings.columns.row_step, settings.columns.window_share};
  result.alpha = settings.alpha;
  result.count_forced_mass = settings.count_forced_mass ? 1 : 0;
  result.sink_blocks = settings.sink_blocks;
  result.window_tokens = settings.window_tokens;
  result.min_blocks = settings.min_blocks;
  result.max_blocks = settings.max_blocks;
  result.dense_above = settings.dense_above;
  return result;
}

inline attention::SelectionParams params_of(const longview_selection_call& call) {
  attention::SelectionParams params{};
  params.query = call.query;
  params.key = call.key;
  params.pooled_key = call.pooled_key;
  params.q_len = call.q_len;
  params.kv_len = call.kv_len;
  params.heads = heads_of(call.heads);
  params.softmax_scale = call.softmax_scale;
  params.block_table = call.block_table;
  params.pool_blocks = call.pool_blocks;
  params.pool_from = call.pool_from;
  params.dense_from = call.dense_from;
  params.head_alpha = call.head_alpha;
  params.workspace = call.workspace;
  params.blocks = call.lists.blocks;
  params.counts = call.lists.counts;
  params.max_blocks = call.lists.max_blocks;
  return params;
}

}  // namespace longview::capi
