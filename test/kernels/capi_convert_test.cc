// Checks that every field of longview_attention.h's structures reaches the one of its name in
// attention/, on the host.
#include <cstdio>
#include <stdexcept>

#include "capi/convert.h"

using longview::attention::BlockLists;
using longview::attention::BlockScore;
using longview::attention::DensePrefillParams;
using longview::attention::SelectionParams;
using longview::attention::SelectionSettings;
using longview::attention::SelectionStrategy;
using longview::capi::lists_of;
using longview::capi::params_of;
using longview::capi::settings_of;

namespace {

int failures = 0;

#define CHECK(holds)                                                \
  do {                                                              \
    if (!(holds)) {                                                 \
      std::printf("line %d: %s does not hold\n", __LINE__, #holds); \
      ++failures;                                                   \
    }                                                               \
  } while (false)

template <class Action>
bool is_refused(Action action) {
  try {
    action();
  } catch (const std::invalid_argument&) {
    return true;
  }
  return false;
}

/// Addresses that differ from each other.
char places[16];

void test_prefill_call() {
  const int32_t table[1] = {0};
  const longview_prefill_call call{places,     places + 1, places + 2, places + 3, 128, 256, 12, 2,
                                   64,         0.125f,     table,      7};
  const DensePrefillParams params = params_of(call);
  CHECK(params.query == places);
  CHECK(params.key == places + 1);
  CHECK(params.value == places + 2);
  CHECK(params.output == places + 3);
  CHECK(params.q_len == 128 && params.kv_len == 256);
  CHECK(params.num_heads == 12 && params.num_kv_heads == 2 && params.head_dim == 64);
  CHECK(params.softmax_scale == 0.125f);
  CHECK(params.block_table == table && params.pool_blocks == 7);
}

void test_selection_call() {
  const int32_t table[1] = {0};
  const float alphas[1] = {0.5f};
  uint16_t blocks[1];
  int32_t counts[1];
  const longview_lists lists{blocks, counts, 3, 16};
  const longview_selection_call call{places, places + 1, places + 2, 384, 512, {12, 2, 64}, 0.125f,
                                     table,  7,          100,        400, alphas, places + 3, lists};
  const SelectionParams params = params_of(call);
  CHECK(params.query == places && params.key == places + 1 && params.pooled_key == places + 2);
  CHECK(params.q_len == 384 && params.kv_len == 512);
  CHECK(params.heads.num_heads == 12 && params.heads.num_kv_heads == 2);
  CHECK(params.heads.head_dim == 64);
  CHECK(params.softmax_scale == 0.125f);
  CHECK(params.block_table == table && params.pool_blocks == 7);
  CHECK(params.pool_from == 100 && params.dense_from == 400);
  CHECK(params.head_alpha == alphas && params.workspace == places + 3);
  CHECK(params.blocks == blocks && params.counts == counts && params.max_blocks == 16);
  const BlockLists of_attention = lists_of(lists);
  CHECK(of_attention.blocks == blocks && of_attention.counts == counts);
  CHECK(of_attention.tiles == 3 && of_attention.max_blocks == 16);
}

void test_settings() {
  SelectionSettings ours;
  ours.strategy = SelectionStrategy::kStrips;
  ours.pooled_keys = 4;
  ours.tiles = {32, BlockScore::kMaximum};
  ours.strips = {2048, 0.75f};
  ours.columns = {10, 0.25f};
  ours.alpha = 0.625f;
  ours.count_forced_mass = true;
  ours.sink_blocks = 3;
  ours.window_tokens = 1000;
  ours.min_blocks = 5;
  ours.max_blocks = 50;
  ours.dense_above = 0.5f;
  const SelectionSettings back = settings_of(settings_of(ours));
  CHECK(back.strategy == ours.strategy && back.pooled_keys == 4);
  CHECK(back.tiles.sampled_rows == 32 && back.tiles.score == BlockScore::kMaximum);
  CHECK(back.strips.segment_tokens == 2048 && back.strips.alpha_slashes == 0.75f);
  CHECK(back.columns.row_step == 10 && back.columns.window_share == 0.25f);
  CHECK(back.alpha == 0.625f && back.count_forced_mass);
  CHECK(back.sink_blocks == 3 && back.window_tokens == 1000);
  CHECK(back.min_blocks == 5 && back.max_blocks == 50 && back.dense_above == 0.5f);
}

void test_numbers_that_name_nothing_are_refused() {
  longview_selection_settings settings = settings_of(SelectionSettings{});
  settings.strategy = LONGVIEW_STRATEGY_COLUMNS + 1;
  CHECK(is_refused([&] { settings_of(settings); }));
  settings.strategy = LONGVIEW_STRATEGY_COLUMNS;
  CHECK(!is_refused([&] { settings_of(settings); }));
  settings.tiles.score = -1;
  CHECK(is_refused([&] { settings_of(settings); }));
}

}  // namespace

int main() {
  test_prefill_call();
  test_selection_call();
  test_settings();
  test_numbers_that_name_nothing_are_refused();
  std::printf(failures == 0 ? "all passed\n" : "%d failed\n", failures);
  return failures == 0 ? 0 : 1;
}
