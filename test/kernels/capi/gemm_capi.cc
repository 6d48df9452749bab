// C interface to the linear layers' products and their oracle, for tests and benches in Python.
#include <cstdio>
#include <exception>
#include <memory>

#include "gemm/api.h"
#include "reference/gemm.h"

using longview::gemm::Gemm;
using longview::gemm::GemmKernel;
using longview::gemm::GemmParams;

#define LONGVIEW_EXPORT extern "C" __attribute__((visibility("default")))

namespace {

/// Runs `action`; on an exception writes its text to `message` [message_size] and returns 1.
template <class Action>
int guarded(char* message, int message_size, Action action) {
  try {
    action();
    return 0;
  } catch (const std::exception& error) {
    std::snprintf(message, message_size, "%s", error.what());
    return 1;
  }
}

}  // namespace

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
