// C interface to what of attention kernels/capi does not offer, and to the
// oracle, for tests and benches in Python.
#include "attention/decode/api.h"
#include "attention/sparse/averages.h"
#include "attention/sparse/columns.h"
#include "capi/convert.h"
#include "capi/guarded.h"
#include "capi/handles.h"
#include "reference/attention.h"

using longview::attention::AverageBuffers;
using longview::attention::BlockAverages;
using longview::attention::ColumnBuffers;
using longview::attention::ColumnPositions;
using longview::attention::DecodeParams;
using longview::attention::DecodeShape;
using longview::attention::GatheredColumns;
using longview::capi::guarded;
using longview::capi::lists_of;
using longview::capi::params_of;
using longview::reference::AttentionBlocks;
using longview::reference::AttentionParams;

LONGVIEW_EXPORT int longview_sparse_prefill_run_columns(
    const longview_sparse_prefill *sparse, const longview_prefill_call *call,
    const longview_lists *lists, const GatheredColumns *columns, void *stream,
    char *message, int message_size) {
  return guarded(message, message_size, [&] {
    sparse->prefill.run(params_of(*call), lists_of(*lists), *columns,
                        static_cast<cudaStream_t>(stream));
  });
}

LONGVIEW_EXPORT int longview_sparse_prefill_run_averages(
    const longview_sparse_prefill *sparse, const longview_prefill_call *call,
    const longview_lists *lists, const BlockAverages *averages, void *stream,
    char *message, int message_size) {
  return guarded(message, message_size, [&] {
    sparse->prefill.run(params_of(*call), lists_of(*lists), *averages,
                        static_cast<cudaStream_t>(stream));
  });
}

LONGVIEW_EXPORT int longview_average_blocks(const longview_prefill_call *call,
                                            const longview_lists *lists,
                                            const AverageBuffers *buffers,
                                            BlockAverages *averages,
                                            void *stream, char *message,
                                            int message_size) {
  return guarded(message, message_size, [&] {
    *averages = longview::attention::average_blocks(
        params_of(*call), lists_of(*lists), *buffers, static_cast<cudaStream_t>(stream));
  });
}

LONGVIEW_EXPORT int
longview_gather_columns(const longview_prefill_call *call,
                        const longview_lists *lists, const ColumnPositions *columns,
                        const ColumnBuffers *buffers, GatheredColumns *gathered,
                        void *stream, char *message, int message_size) {
  return guarded(message, message_size, [&] {
    *gathered = longview::attention::gather_columns(
        params_of(*call), lists_of(*lists), *columns, *buffers, static_cast<cudaStream_t>(stream));
  });
}

LONGVIEW_EXPORT int longview_decode_workspace_bytes(const DecodeShape *shape,
                                                    size_t *bytes,
                                                    char *message,
                                                    int message_size) {
  return guarded(message, message_size, [&] {
    *bytes = longview::attention::decode_workspace_bytes(*shape);
  });
}

LONGVIEW_EXPORT int longview_flash_decode(const DecodeParams *params,
                                          void *stream, char *message,
                                          int message_size) {
  return guarded(message, message_size, [&] {
    longview::attention::flash_decode(*params,
                                      static_cast<cudaStream_t>(stream));
  });
}

LONGVIEW_EXPORT void
longview_reference_attention(const AttentionParams *params) {
  longview::reference::dense_causal_attention(*params);
}

LONGVIEW_EXPORT void
longview_reference_sparse_attention(const AttentionParams *params,
                                    const AttentionBlocks *blocks) {
  longview::reference::sparse_causal_attention(*params, *blocks);
}
