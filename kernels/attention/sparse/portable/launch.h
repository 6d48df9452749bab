// Host side of the portable kernel of sparse prefill.
#pragma once

#include <cuda_runtime_api.h>

#include "attention/sparse/call.h"

namespace longview::attention::portable {

/// Enqueues the call on a device of compute capability 8.0 or newer.
/// @throws CudaError
void launch_sparse_prefill(const SparseCall& call, cudaStream_t stream);

}  // namespace longview::attention::portable
