// All layers of one decode step in one kernel, which stays on every multiprocessor: weights and
// cached keys stream on while results go from one multiprocessor to the others.
#pragma once

#include <cuda_runtime_api.h>

#include "decoder/persistent/params.h"

namespace longview::decoder {

/// Fills in what follows from the sizes of `params`: the walks along the products.
void shape_products(PersistentParams& params);

/// Whether the kernel runs this model on the current device: it needs up to 225 KB of shared memory
/// a block, at most 8 query heads to a KV head, and no norms of q and k.
/// @throws CudaError where there is no usable device.
bool fits_persistent(const PersistentParams& params, int context_tokens);

/// Size of `PersistentParams::workspace` on the current device.
size_t persistent_workspace_bytes(int hidden_size, int feed_forward_size, int num_heads,
                                  int num_kv_heads, int head_dim);

/// Enqueues all layers of a step. The kernel waits for itself across blocks, so it is launched
/// cooperatively. Sums are in a fixed order: the bits of the result depend on the inputs and the
/// device's number of multiprocessors.
/// @throws CudaError when the launch fails.
void persistent_layers(const PersistentParams& params, cudaStream_t stream);

}  // namespace longview::decoder
