// Choice of the blocks that sparse prefill attends to, on the current CUDA device.
#pragma once

#include <cuda_runtime_api.h>

#include <cstddef>
#include <memory>

#include "attention/selection/params.h"
#include "attention/selection/settings.h"

namespace longview::attention {

/// Which kernels a BlockSelector runs. Tests run the portable ones where faster ones exist, too.
enum class SelectionKernels { kFastest, kPortable };

/// What a call does: benches time the stages one by one. The second stage reads what the first one
/// left in the workspace.
enum class SelectionStages { kBoth, kSampling, kFiltering };

/// Runs one strategy: stage 1 of SampleAttention, query-guided sampling, and stage 2, score-based
/// KV filtering. Nothing waits for the device. Calls on one instance must follow one another: one
/// stream at a time.
class BlockSelector {
 public:
  /// @throws std::invalid_argument for settings outside their limits.
  /// @throws std::runtime_error where the device's compute capability is below 8.0.
  explicit BlockSelector(const SelectionSettings& settings,
                         SelectionKernels kernels = SelectionKernels::kFastest);
  ~BlockSelector();
  BlockSelector(BlockSelector&&) noexcept;

  const SelectionSettings& settings() const;

  /// Bytes of workspace for calls of at most `q_len` queries over at most `kv_len` keys. Nothing of
  /// it needs to last from call to call.
  size_t workspace_bytes(const SelectionHeads& heads, int q_len, int kv_len) const;

  /// Enqueues one call on `stream`. Lists repeat bit for bit on the same device, and do not depend
  /// on how a prompt is split into chunks.
  /// A block whose score is not a number is kept, and so are all blocks of a tile with a row whose
  /// scores do not add up to one.
  /// @throws std::invalid_argument for a shape or pointer outside the limits of SelectionParams.
  /// @throws CudaError when a launch fails.
  void run(const SelectionParams& params, cudaStream_t stream,
           SelectionStages stages = SelectionStages::kBoth) const;

 private:
  class Implementation;
  std::unique_ptr<Implementation> implementation_;
};

/// The lists that a call writes, for the attention that reads them.
inline BlockLists lists_of(const SelectionParams& params) {
  return {params.blocks, params.counts, selection_tiles(params.q_len), params.max_blocks};
}

/// Bytes of the averages of one block of the KV pool, one layer; 0 where there are none.
size_t pooled_block_bytes(const SelectionSettings& settings, const SelectionHeads& heads);

}  // namespace longview::attention
