// Block-sparse causal prefill attention on the current CUDA device.
#pragma once

#include <cuda_runtime_api.h>

#include <cstdint>
#include <optional>

#include "attention/block_averages.h"
#include "attention/block_lists.h"
#include "attention/dense/api.h"
#include "attention/gathered_columns.h"
#include "attention/sparse/call.h"
#include "common/device_buffer.h"

namespace longview::attention {

/// The main kernel of SampleAttention prefill: one online softmax over the key blocks that each
/// query tile of each query head lists. Runs on the device that was current when it was made: the
/// kernel for sm_90a on Hopper, the portable one elsewhere. Calls on one instance must follow one
/// another: one stream at a time.
class SparsePrefill {
 public:
  /// `max_query_tiles`: the largest num_heads * lists.tiles of a call; 4 bytes of device memory
  /// each.
  /// @throws std::invalid_argument unless max_query_tiles lies in 1 to 2^20.
  /// @throws CudaError where there is no usable device.
  /// @throws std::runtime_error where the device's compute capability is below 8.0.
  explicit SparsePrefill(int max_query_tiles, PrefillKernel kernel = PrefillKernel::kFastest);

  /// Enqueues one call on `stream`. (kv_len - q_len) must be a multiple of kSelectionTileRows.
  /// Results are bitwise repeatable on the same device, and a row's bits depend on its tile's list
  /// alone: any split into chunks at multiples of kSelectionTileRows, and any block table, gives
  /// the same.
  /// @throws std::invalid_argument for a shape or pointer outside the limits of DensePrefillParams
  /// and BlockLists; what the lists hold is not checked.
  /// @throws CudaError when the launch fails.
  void run(const DensePrefillParams& params, const BlockLists& lists, cudaStream_t stream) const {
    run(SparseCall{params, lists, {}, {}, nullptr}, stream);
  }

  /// The same over the blocks of `lists` and, before them, single keys: see sparse/columns.h. None
  /// where `columns.visible` is null.
  void run(const DensePrefillParams& params, const BlockLists& lists,
           const GatheredColumns& columns, cudaStream_t stream) const {
    run(SparseCall{params, lists, columns, {}, nullptr}, stream);
  }

  /// The same over the blocks of `lists` and, for the others, their averages: see
  /// sparse/averages.h.
  void run(const DensePrefillParams& params, const BlockLists& lists, const BlockAverages& averages,
           cudaStream_t stream) const {
    run(SparseCall{params, lists, {}, averages, nullptr}, stream);
  }

 private:
  void run(SparseCall call, cudaStream_t stream) const;

  std::optional<sm90::PrefillDevice> hopper_;  // none: the portable kernel
  DeviceBuffer<int32_t> order_;                // of the tiles of one call
};

}  // namespace longview::attention
