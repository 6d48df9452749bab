// Host side of the portable stage 1.
#pragma once

#include <cuda_runtime_api.h>

#include "attention/sampling/params.h"

namespace longview::attention::portable {

/// Enqueues a validated call with at least one sampled row, on a device of compute capability 8.0
/// or newer.
/// @throws CudaError
void launch_sampling(const SamplingParams& params, cudaStream_t stream);

}  // namespace longview::attention::portable
