// C interface to the attention kernels and their oracle, for tests and benches
// in Python.
#include <cstdio>
#include <exception>
#include <memory>
#include <new>

#include "attention/decode/api.h"
#include "attention/dense/api.h"
#include "attention/sparse/api.h"
#include "attention/sparse/averages.h"
#include "attention/sparse/columns.h"
#include "reference/attention.h"

using longview::attention::AverageBuffers;
using longview::attention::BlockAverages;
using longview::attention::BlockLists;
using longview::attention::ColumnBuffers;
using longview::attention::ColumnPositions;
using longview::attention::DecodeParams;
using longview::attention::DecodeShape;
using longview::attention::DensePrefill;
using longview::attention::DensePrefillParams;
using longview::attention::GatheredColumns;
using longview::attention::PrefillKernel;
using longview::attention::SparsePrefill;
using longview::reference::AttentionBlocks;
using longview::reference::AttentionParams;

#define LONGVIEW_EXPORT extern "C" __attribute__((visibility("default")))

namespace {

/// Runs `action`; on an exception writes its text to `message` [message_size]
/// and returns 1.
template <class Action>
int guarded(char *message, int message_size, Action action) {
  try {
    action();
    return 0;
  } catch (const std::exception &error) {
    std::snprintf(message, message_size, "%s", error.what());
    return 1;
  }
}

} // namespace

/// `portable` is 0 or 1.
LONGVIEW_EXPORT int longview_dense_prefill_create(DensePrefill **prefill,
                                                  int portable, char *message,
                                                  int message_size) {
  return guarded(message, message_size, [&] {
    const auto kernel =
        portable ? PrefillKernel::kPortable : PrefillKernel::kFastest;
    *prefill = std::make_unique<DensePrefill>(kernel).release();
  });
}

LONGVIEW_EXPORT void longview_dense_prefill_destroy(DensePrefill *prefill) {
  delete prefill;
}

LONGVIEW_EXPORT int longview_dense_prefill_run(const DensePrefill *prefill,
                                               const DensePrefillParams *params,
                                               void *stream, char *message,
                                               int message_size) {
  return guarded(message, message_size, [&] {
    prefill->run(*params, static_cast<cudaStream_t>(stream));
  });
}

/// `portable` is 0 or 1.
LONGVIEW_EXPORT int longview_sparse_prefill_create(SparsePrefill **prefill,
                                                   int max_query_tiles,
                                                   int portable, char *message,
                                                   int message_size) {
  return guarded(message, message_size, [&] {
    const auto kernel =
        portable ? PrefillKernel::kPortable : PrefillKernel::kFastest;
    *prefill =
        std::make_unique<SparsePrefill>(max_query_tiles, kernel).release();
  });
}

LONGVIEW_EXPORT void longview_sparse_prefill_destroy(SparsePrefill *prefill) {
  delete prefill;
}

LONGVIEW_EXPORT int longview_sparse_prefill_run(
    const SparsePrefill *prefill, const DensePrefillParams *params,
    const BlockLists *lists, const GatheredColumns *columns, void *stream,
    char *message, int message_size) {
  return guarded(message, message_size, [&] {
    prefill->run(*params, *lists, *columns, static_cast<cudaStream_t>(stream));
  });
}

LONGVIEW_EXPORT int longview_sparse_prefill_run_averages(
    const SparsePrefill *prefill, const DensePrefillParams *params,
    const BlockLists *lists, const BlockAverages *averages, void *stream,
    char *message, int message_size) {
  return guarded(message, message_size, [&] {
    prefill->run(*params, *lists, *averages, static_cast<cudaStream_t>(stream));
  });
}

LONGVIEW_EXPORT int longview_average_blocks(const DensePrefillParams *params,
                                            const BlockLists *lists,
                                            const AverageBuffers *buffers,
                                            BlockAverages *averages,
                                            void *stream, char *message,
                                            int message_size) {
  return guarded(message, message_size, [&] {
    *averages = longview::attention::average_blocks(
        *params, *lists, *buffers, static_cast<cudaStream_t>(stream));
  });
}

LONGVIEW_EXPORT int
longview_gather_columns(const DensePrefillParams *params,
                        const BlockLists *lists, const ColumnPositions *columns,
                        const ColumnBuffers *buffers, GatheredColumns *gathered,
                        void *stream, char *message, int message_size) {
  return guarded(message, message_size, [&] {
    *gathered = longview::attention::gather_columns(
        *params, *lists, *columns, *buffers, static_cast<cudaStream_t>(stream));
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
