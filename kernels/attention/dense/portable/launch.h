// Host side of the portable prefill kernel.
#pragma once

#include <cuda_runtime_api.h>

#include "attention/dense/params.h"

namespace longview::attention::portable {

/// Enqueues a validated call with q_len > 0 on a device of compute capability 8.0 or newer.
/// @throws CudaError
void launch_dense_prefill(const DensePrefillParams& params, cudaStream_t stream);

}  // namespace longview::attention::portable
