// Host side of the sm_90a kernel of sparse prefill.
#pragma once

#include "attention/dense/sm90/launch.h"
#include "attention/sparse/call.h"

namespace longview::attention::sm90 {

/// Picks the instantiation and enqueues the call.
/// @throws CudaError
void launch_sparse_prefill(const SparseCall& call, const PrefillDevice& device,
                           cudaStream_t stream);

/// One instantiation; each is compiled in a file of its own.
template <class Config>
void launch(const SparseCall& call, const PrefillDevice& device, cudaStream_t stream);

}  // namespace longview::attention::sm90
