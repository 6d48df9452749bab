// C interface to the oracle of block selection, for tests and benches in
// Python; the selection itself is in kernels/capi.
#include "capi/guarded.h"
#include "reference/selection.h"

using longview::reference::FilterTensors;
using longview::reference::SelectionShape;

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
