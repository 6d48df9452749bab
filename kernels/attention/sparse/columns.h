// Gathers single keys for sparse prefill: the columns of SampleAttention (arXiv:2406.15486, section
// 3).
#pragma once

#include <cuda_runtime_api.h>

#include <cstdint>

#include "attention/block_lists.h"
#include "attention/dense/params.h"
#include "attention/gathered_columns.h"

namespace longview::attention {

/// Which keys each query head attends to wherever they come before the listed blocks, in device
/// memory.
struct ColumnPositions {
  const int32_t* positions;  // [num_heads, capacity], ascending without duplicates, below kv_len
  const int32_t* counts;     // [num_heads], at most capacity
  int capacity;              // a multiple of kSelectionBlockKeys
};

/// Where gathered columns go, in device memory; shapes as in GatheredColumns.
struct ColumnBuffers {
  void* key;
  void* value;
  int32_t* visible;
};

/// Copies the columns' keys and values out of those of `params`, and counts for each query tile
/// those before the first block of its list. What is returned points into `buffers`.
/// @throws std::invalid_argument for a null pointer or a capacity that is no multiple of 64.
/// @throws CudaError when the launch fails.
GatheredColumns gather_columns(const DensePrefillParams& params, const BlockLists& lists,
                               const ColumnPositions& columns, const ColumnBuffers& buffers,
                               cudaStream_t stream);

}  // namespace longview::attention
