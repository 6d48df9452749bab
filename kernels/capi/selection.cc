// The selection of longview_attention.h.
#include "capi/convert.h"
#include "capi/guarded.h"
#include "capi/handles.h"
#include "common/kv_block.h"

using longview::attention::BlockSelector;
using longview::attention::SelectionKernels;
using longview::attention::SelectionParams;
using longview::attention::SelectionSettings;
using longview::attention::SelectionStages;
using longview::capi::enumerator_of;
using longview::capi::guarded;
using longview::capi::heads_of;
using longview::capi::params_of;
using longview::capi::required;
using longview::capi::settings_of;

void longview_selection_defaults(longview_selection_settings* settings) {
  if (settings != nullptr) *settings = settings_of(SelectionSettings{});
}

int longview_selector_create(longview_selector** selector,
                             const longview_selection_settings* settings, int portable,
                             char* message, int message_size) {
  return guarded(message, message_size, [&] {
    required(selector, "selector");
    const auto kernels = portable != 0 ? SelectionKernels::kPortable : SelectionKernels::kFastest;
    *selector = new longview_selector{
        BlockSelector(settings_of(required(settings, "settings")), kernels)};
  });
}

void longview_selector_destroy(longview_selector* selector) { delete selector; }

size_t longview_selector_workspace_bytes(const longview_selector* selector,
                                         const longview_heads* heads, int q_len, int kv_len) {
  return selector->selector.workspace_bytes(heads_of(*heads), q_len, kv_len);
}

size_t longview_selector_pooled_bytes(const longview_selector* selector,
                                      const longview_heads* heads, int kv_len) {
  const size_t of_block =
      longview::attention::pooled_block_bytes(selector->selector.settings(), heads_of(*heads));
  return of_block * static_cast<size_t>(longview::kv_blocks(kv_len));
}

int longview_selector_run(const longview_selector* selector, const longview_selection_call* call,
                          int stages, void* stream, char* message, int message_size) {
  return guarded(message, message_size, [&] {
    const SelectionParams params = params_of(required(call, "call"));
    // The only part of the lists that the selection does not ask for: it knows the right number.
    if (params.q_len > 0) {
      const int tiles = longview::attention::selection_tiles(params.q_len);
      if (call->lists.tiles != tiles) {
        throw std::invalid_argument("lists of " + std::to_string(call->lists.tiles) +
                                    " tiles for " + std::to_string(params.q_len) +
                                    " queries: there are " + std::to_string(tiles));
      }
    }
    required(selector, "selector")
        .selector.run(params, static_cast<cudaStream_t>(stream),
                      enumerator_of(stages, SelectionStages::kFiltering, "stages"));
  });
}
