// C interface to the products in fp8 and their oracle, for tests and benches in Python.
#include <cstdint>
#include <memory>

#include "gemm/fp8/api.h"
#include "capi/guarded.h"
#include "reference/fp8.h"

using longview::capi::guarded;
using longview::gemm::Fp8Gemm;
using longview::gemm::Fp8GemmParams;
using longview::gemm::GemmKernel;
using longview::gemm::QuantizeParams;

/// `portable` is 0 or 1.
LONGVIEW_EXPORT int longview_fp8_gemm_create(Fp8Gemm** gemm, int portable, char* message,
                                             int message_size) {
  return guarded(message, message_size, [&] {
    const auto kernel = portable ? GemmKernel::kPortable : GemmKernel::kFastest;
    *gemm = std::make_unique<Fp8Gemm>(kernel).release();
  });
}

LONGVIEW_EXPORT void longview_fp8_gemm_destroy(Fp8Gemm* gemm) { delete gemm; }

LONGVIEW_EXPORT int longview_fp8_gemm_run(const Fp8Gemm* gemm, const Fp8GemmParams* params,
                                          void* stream, char* message, int message_size) {
  return guarded(message, message_size,
                 [&] { gemm->run(*params, static_cast<cudaStream_t>(stream)); });
}

LONGVIEW_EXPORT int longview_fp8_quantize(const Fp8Gemm* gemm, const QuantizeParams* params,
                                          void* stream, char* message, int message_size) {
  return guarded(message, message_size,
                 [&] { gemm->quantize(*params, static_cast<cudaStream_t>(stream)); });
}

LONGVIEW_EXPORT void longview_reference_quantize_rows(const float* input, const float* norm_weight,
                                                      float norm_epsilon, uint8_t* output,
                                                      float* scales, int rows, int features) {
  longview::reference::quantize_rows(input, norm_weight, norm_epsilon, output, scales, rows,
                                     features);
}
