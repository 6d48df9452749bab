#include <algorithm>

#include "common/cuda_error.h"
#include "common/device.h"
#include "decoder/finite_check.h"

namespace longview::decoder {

namespace {

constexpr int kThreads = 256;
constexpr int kBlocksPerMultiprocessor = 8;
/// A bf16 value whose exponent bits are all set is NaN or infinite.
constexpr uint32_t kExponent = 0x7f80u;

__global__ void mark_nonfinite_kernel(const uint32_t* pairs, int64_t count, int32_t* found) {
  bool is_nonfinite = false;
  const int64_t step = int64_t{gridDim.x} * kThreads;
  for (int64_t i = int64_t{blockIdx.x} * kThreads + threadIdx.x; i < count; i += step) {
    const uint32_t pair = pairs[i];
    is_nonfinite |= (pair & kExponent) == kExponent;
    is_nonfinite |= (pair >> 16 & kExponent) == kExponent;
  }
  // Every writer writes the same.
  if (is_nonfinite) *found = 1;
}

}  // namespace

void mark_nonfinite(const void* values, int64_t count, int32_t* found, cudaStream_t stream) {
  const int64_t pairs = count / 2;
  if (pairs == 0) return;
  const int64_t limit =
      int64_t{kBlocksPerMultiprocessor} * device_attribute(cudaDevAttrMultiProcessorCount);
  const int blocks = static_cast<int>(std::min(limit, (pairs + kThreads - 1) / kThreads));
  mark_nonfinite_kernel<<<blocks, kThreads, 0, stream>>>(static_cast<const uint32_t*>(values),
                                                         pairs, found);
  LONGVIEW_CUDA(cudaGetLastError());
}

}  // namespace longview::decoder
