// C interface to the linear layers' products and their oracle, for tests and benches in Python.
#include <memory>

#include "gemm/api.h"
#include "capi/guarded.h"
#include "reference/gemm.h"

using longview::capi::guarded;
using longview::gemm::Gemm;
using longview::gemm::GemmKernel;
using longview::gemm::GemmParams;

/// `portable` is 0 or 1.
LONGVIEW_EXPORT int longview_gemm_create(Gemm** gemm, int portable, char* message,
                                         int message_size) {
  return guarded(message, message_size, [&] {
    const auto kernel = portable ? GemmKernel::kPortable : GemmKernel::kFastest;
    *gemm = std::make_unique<Gemm>(kernel).release();
  });
}

LONGVIEW_EXPORT void longview_gemm_destroy(Gemm* gemm) { delete gemm; }

LONGVIEW_EXPORT int longview_gemm_run(const Gemm* gemm, const GemmParams* params, void* stream,
                                      char* message, int message_size) {
  return guarded(message, message_size,
                 [&] { gemm->run(*params, static_cast<cudaStream_t>(stream)); });
}

LONGVIEW_EXPORT void longview_reference_gemm(const longview::reference::GemmParams* params) {
  longview::reference::gemm(*params);
}
