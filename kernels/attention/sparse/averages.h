// Averages the blocks that sparse prefill leaves out.
#pragma once

#include <cuda_runtime_api.h>

#include "attention/block_averages.h"
#include "attention/dense/params.h"

namespace longview::attention {

/// Where averages go, in device memory; shapes as in BlockAverages.
struct AverageBuffers {
  void* key;
  void* value;
  uint32_t* dropped;
};

/// Averages all blocks of the keys and values of `params`, and marks for each query tile those that
/// its list leaves out. What is returned points into `buffers`.
/// @throws std::invalid_argument for a null or badly aligned pointer.
/// @throws CudaError when the launch fails.
BlockAverages average_blocks(const DensePrefillParams& params, const BlockLists& lists,
                             const AverageBuffers& buffers, cudaStream_t stream);

}  // namespace longview::attention
