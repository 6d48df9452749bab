// C interface to dequantisation and its oracle, for tests and benches in
// Python.
#include "quant/api.h"

#include "capi/guarded.h"
#include "reference/quant.h"

using namespace longview;

LONGVIEW_EXPORT int longview_dequantize(const quant::DequantizeParams *params,
                                        void *stream, char *message,
                                        int message_size) {
  return capi::enqueue(quant::dequantize, params, stream, message,
                       message_size);
}

LONGVIEW_EXPORT int longview_reference_dequantize(int ggml_type,
                                                  const uint8_t *blocks,
                                                  int64_t count, float *values,
                                                  char *message,
                                                  int message_size) {
  return capi::guarded(message, message_size, [&] {
    reference::dequantize(ggml_type, blocks, count, values);
  });
}
