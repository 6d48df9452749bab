// C interface to the linear layers' products, in bf16 and in fp8, and their oracles, for tests and benches
// in Python.
#include <cstdint>
#include <memory>

#include "capi/guarded.h"
#include "gemm/api.h"
#include "gemm/fp8/api.h"
#include "reference/fp8.h"
#include "reference/gemm.h"

using longview::capi::guarded;
using longview::gemm::Fp8Gemm;
using longview::gemm::Fp8GemmParams;
using longview::gemm::Gemm;
using longview::gemm::GemmKernel;
using longview::gemm::GemmParams;
using longview::gemm::QuantizeParams;

namespace {

/// `portable` is 0 or 1.
template <class Product>
int create(Product** product, int portable, char* message, int message_size) {
  return guarded(message, message_size, [&] {
    const auto kernel = portable ? GemmKernel::kPortable : GemmKernel::kFastest;
    *product = std::make_unique<Product>(kernel).release();
  });
}

template <class Product, class Params>
int run(const Product* product, const Params* params, void* stream, char* message,
        int message_size) {
  return guarded(message, message_size,
                 [&] { product->run(*params, static_cast<cudaStream_t>(stream)); });
}

}  // namespace

LONGVIEW_EXPORT int longview_gemm_create(Gemm** gemm, int portable, char* message,
                                         int message_size) {
  return create(gemm, portable, message, message_size);
}

LONGVIEW_EXPORT void longview_gemm_destroy(Gemm* gemm) { delete gemm; }

LONGVIEW_EXPORT int longview_gemm_run(const Gemm* gemm, const GemmParams* params, void* stream,
                                      char* message, int message_size) {
  return run(gemm, params, stream, message, message_size);
}

LONGVIEW_EXPORT int longview_fp8_gemm_create(Fp8Gemm** gemm, int portable, char* message,
                                             int message_size) {
  return create(gemm, portable, message, message_size);
}

LONGVIEW_EXPORT void longview_fp8_gemm_destroy(Fp8Gemm* gemm) { delete gemm; }

LONGVIEW_EXPORT int longview_fp8_gemm_run(const Fp8Gemm* gemm, const Fp8GemmParams* params,
                                          void* stream, char* message, int message_size) {
  return run(gemm, params, stream, message, message_size);
}

LONGVIEW_EXPORT int longview_fp8_quantize(const Fp8Gemm* gemm, const QuantizeParams* params,
                                          void* stream, char* message, int message_size) {
  return guarded(message, message_size,
                 [&] { gemm->quantize(*params, static_cast<cudaStream_t>(stream)); });
}

LONGVIEW_EXPORT void longview_reference_gemm(const longview::reference::GemmParams* params) {
  longview::reference::gemm(*params);
}

LONGVIEW_EXPORT void longview_reference_quantize_rows(const float* input, const float* norm_weight,
                                                      float norm_epsilon, uint8_t* output,
                                                      float* scales, int rows, int features) {
  longview::reference::quantize_rows(input, norm_weight, norm_epsilon, output, scales, rows,
                                     features);
}
