// Averages of keys, for stage 1.
#pragma once

#include <cuda_runtime_api.h>

#include "attention/sampling/params.h"

namespace longview::attention {

/// Enqueues a validated call. An average depends on its own keys alone, and is rounded to bf16
/// once.
/// @throws CudaError
void pool_keys(const PoolKeysParams& params, cudaStream_t stream);

}  // namespace longview::attention
