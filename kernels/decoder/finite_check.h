// Finds NaN and infinities in bf16 values.
#pragma once

#include <cuda_runtime_api.h>

#include <cstdint>

namespace longview::decoder {

/// Enqueues a check of `count` bf16 values in device memory, aligned to 4 bytes, `count` even. Sets
/// `*found` to 1 where one of them is NaN or infinite, and leaves it alone otherwise. `found` is
/// memory that the device can write.
/// @throws CudaError when the launch fails.
void mark_nonfinite(const void* values, int64_t count, int32_t* found, cudaStream_t stream);

}  // namespace longview::decoder
