// In which order the query tiles of sparse prefill are handed out.
#pragma once

#include <cuda_runtime_api.h>

#include <cstdint>

#include "attention/sparse/call.h"

namespace longview::attention {

/// num_heads * tiles of a call: the places of its lists.
constexpr int kMaxQueryTiles = 1 << 20;

/// Writes the places of all lists, longest first (columns, where there are any, count for their
/// blocks), to `order` [num_heads * lists.tiles]: what
/// is left at the end is then short, and all multiprocessors finish at about the same time. Lists
/// of about the same length (an eighth of a power of two) keep the order of dense prefill: heads of
/// a KV head together, latest positions first, so that tiles that run at the same time read the
/// same keys. The order decides who computes a tile, never its result.
/// @throws CudaError when the launch fails.
void order_tiles(const SparseCall& call, int32_t* order, cudaStream_t stream);

}  // namespace longview::attention
