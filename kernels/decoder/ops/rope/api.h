// Rotary positions and the KV write on the current CUDA device.
#pragma once

#include <cuda_runtime_api.h>

#include "decoder/ops/rope/frequencies.h"
#include "decoder/ops/rope/params.h"

namespace longview::decoder {

/// Enqueues the making of both tables; angles, cosines and sines in double precision.
/// @throws std::invalid_argument for parameters outside their limits.
/// @throws CudaError when the launch fails.
void fill_rope_tables(const RopeTableParams& params, cudaStream_t stream);

/// Enqueues one call. A token's bits do not depend on the other tokens of the call.
/// @throws std::invalid_argument for a shape or pointer outside the limits of RopeKvParams.
/// @throws CudaError when the launch fails.
void rope_kv(const RopeKvParams& params, cudaStream_t stream);

}  // namespace longview::decoder
