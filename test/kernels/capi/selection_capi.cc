// C interface to block selection and its oracle, for tests and benches in
// Python.
#include <memory>

#include "attention/selection/api.h"
#include "guarded.h"
#include "reference/selection.h"

using longview::attention::BlockSelector;
using longview::attention::SelectionHeads;
using longview::attention::SelectionKernels;
using longview::attention::SelectionParams;
using longview::attention::SelectionSettings;
using longview::attention::SelectionStages;
using longview::capi::guarded;
using longview::reference::FilterTensors;
using longview::reference::SelectionShape;

/// `portable` is 0 or 1.
LONGVIEW_EXPORT int longview_selector_create(const SelectionSettings *settings,
                                             int portable,
                                             BlockSelector **selector,
                                             char *message, int message_size) {
  return guarded(message, message_size, [&] {
    const auto kernels =
        portable ? SelectionKernels::kPortable : SelectionKernels::kFastest;
    *selector = std::make_unique<BlockSelector>(*settings, kernels).release();
  });
}

LONGVIEW_EXPORT void longview_selector_destroy(BlockSelector *selector) {
  delete selector;
}

LONGVIEW_EXPORT size_t longview_selector_workspace_bytes(
    const BlockSelector *selector, const SelectionHeads *heads, int q_len,
    int kv_len) {
  return selector->workspace_bytes(*heads, q_len, kv_len);
}

/// `stages`: 0 both, 1 sampling, 2 filtering.
LONGVIEW_EXPORT int longview_selector_run(const BlockSelector *selector,
                                          const SelectionParams *params,
                                          int stages, void *stream,
                                          char *message, int message_size) {
  return guarded(message, message_size, [&] {
    selector->run(*params, static_cast<cudaStream_t>(stream),
                  static_cast<SelectionStages>(stages));
  });
}

LONGVIEW_EXPORT void longview_reference_sampled_masses(
    const longview::reference::SampledMassParams *params) {
  longview::reference::sampled_masses(*params);
}

LONGVIEW_EXPORT void longview_reference_filter_tiles(
    const FilterTensors *tensors, const SelectionShape *shape,
    const longview::reference::TileSettings *settings, uint32_t *masses) {
  longview::reference::filter_tiles(*tensors, *shape, *settings, masses);
}

LONGVIEW_EXPORT void longview_reference_filter_strips(
    const FilterTensors *tensors, const int *rows, const SelectionShape *shape,
    const longview::reference::StripSettings *settings, uint32_t *masses) {
  longview::reference::filter_strips(*tensors, rows, *shape, *settings, masses);
}
