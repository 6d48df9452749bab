// Split-KV flash decode on the current CUDA device (compute capability 8.0 or newer).
#pragma once

#include <cuda_runtime_api.h>

#include "attention/decode/params.h"

namespace longview::attention {

/// Size of the workspace of one call on the current device.
/// @throws std::invalid_argument for a shape outside the limits of DecodeShape.
/// @throws CudaError where there is no usable device.
size_t decode_workspace_bytes(const DecodeShape& shape);

/// Enqueues one call on `stream`: two kernels, which take part in programmatic launches
/// (common/programmatic_launch.cuh). Calls that share a workspace must follow one another. The bits
/// of the result depend on the inputs, *kv_len, the head counts and the device's number of
/// multiprocessors, and on neither max_kv_len nor the block table.
/// @throws std::invalid_argument for a shape or pointer outside the limits of DecodeParams.
/// @throws CudaError when the launch fails.
void flash_decode(const DecodeParams& params, cudaStream_t stream);

}  // namespace longview::attention
