// The attention of longview_attention.h.
#include <memory>

#include "capi/convert.h"
#include "capi/guarded.h"
#include "capi/handles.h"

using longview::attention::DensePrefill;
using longview::attention::PrefillKernel;
using longview::attention::SparsePrefill;
using longview::capi::guarded;
using longview::capi::lists_of;
using longview::capi::params_of;
using longview::capi::required;

namespace {

PrefillKernel kernel_of(int portable) {
  return portable != 0 ? PrefillKernel::kPortable : PrefillKernel::kFastest;
}

}  // namespace

int longview_attention_abi(void) { return LONGVIEW_ATTENTION_ABI; }

int longview_lists_tiles(int q_len) { return longview::attention::selection_tiles(q_len); }

int longview_lists_pitch(int kv_len) { return longview::attention::selection_pitch(kv_len); }

int longview_dense_prefill_create(longview_dense_prefill** prefill, int portable, char* message,
                                  int message_size) {
  return guarded(message, message_size, [&] {
    required(prefill, "prefill");
    *prefill = new longview_dense_prefill{DensePrefill(kernel_of(portable))};
  });
}

void longview_dense_prefill_destroy(longview_dense_prefill* prefill) { delete prefill; }

int longview_dense_prefill_run(const longview_dense_prefill* prefill,
                               const longview_prefill_call* call, void* stream, char* message,
                               int message_size) {
  return guarded(message, message_size, [&] {
    required(prefill, "prefill")
        .prefill.run(params_of(required(call, "call")), static_cast<cudaStream_t>(stream));
  });
}

int longview_sparse_prefill_create(longview_sparse_prefill** prefill, int max_query_tiles,
                                   int portable, char* message, int message_size) {
  return guarded(message, message_size, [&] {
    required(prefill, "prefill");
    *prefill = new longview_sparse_prefill{SparsePrefill(max_query_tiles, kernel_of(portable))};
  });
}

void longview_sparse_prefill_destroy(longview_sparse_prefill* prefill) { delete prefill; }

int longview_sparse_prefill_run(const longview_sparse_prefill* prefill,
                                const longview_prefill_call* call, const longview_lists* lists,
                                void* stream, char* message, int message_size) {
  return guarded(message, message_size, [&] {
    required(prefill, "prefill")
        .prefill.run(params_of(required(call, "call")), lists_of(required(lists, "lists")),
                     static_cast<cudaStream_t>(stream));
  });
}
