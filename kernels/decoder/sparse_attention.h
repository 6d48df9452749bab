// SampleAttention of one prefill chunk: which key blocks each query tile reads, then attention over them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "attention/dense/params.h"
#include "attention/selection/api.h"
#include "attention/sparse/api.h"
#include "common/device_buffer.h"
#include "common/stream.h"
#include "decoder/model_spec.h"
#include "decoder/span_clock.h"

namespace longview::decoder {

/// How a chunk chooses, and from which position of the sequence on its rows read every key.
struct SparseRequest {
  attention::SelectionSettings settings;
  int dense_from_token;
  /// In place of the settings' alpha: [layers, num_heads], or empty.
  std::vector<float> head_alpha;
};

/// Key blocks summed over layers, heads and query tiles of a chunk.
struct BlockTotals {
  double kept;
  double visible;  // what dense attention reads
};

/// Memory that a chunk with a selection needs beside what dense prefill does.
struct SelectionSizes {
  size_t lists_bytes;      // of one layer
  size_t counts;           // numbers: of all layers
  size_t workspace_bytes;  // within a layer, before its feed-forward network
};

/// For chunks of at most `chunk_tokens` in a context of `context_tokens`, whatever the settings but for
/// averages of fewer than `fewest_pooled_keys` keys. All zero where that is 0.
SelectionSizes selection_sizes(const ModelSpec& spec, int chunk_tokens, int context_tokens,
                               int fewest_pooled_keys);

/// Where a layer's selection lies.
struct SelectionPlace {
  int layer;
  void* pooled_key;
  int pool_from;
  void* workspace;
  uint16_t* blocks;
  int32_t* counts;  // of the layer: [num_heads, tiles]
};

/// The kernels, for the device that was current when it was made. One stream at a time.
class SparseAttention {
 public:
  SparseAttention(const ModelSpec& spec, int chunk_tokens, attention::PrefillKernel kernel);

  /// Before the layers of a chunk: takes the request's head_alpha to the device where it has changed.
  void prepare(const SparseRequest& request, cudaStream_t stream);

  /// Enqueues one layer: `dense` is the same call without a selection.
  void run(const attention::DensePrefillParams& dense, const SparseRequest& request,
           const SelectionPlace& place, const Stream& stream);

  /// Milliseconds that choosing took in the last chunk, which is done, over `layers` layers.
  double selection_ms(int layers) const { return clock_.total_ms(layers); }

 private:
  const attention::BlockSelector& selector(const attention::SelectionSettings& settings);

  SpanClock clock_;  // of the selection
  attention::SparsePrefill attention_;
  attention::SelectionKernels selection_kernels_;
  std::optional<attention::BlockSelector> selector_;  // of the last settings
  std::vector<float> head_alpha_;                     // what `device_head_alpha_` holds
  DeviceBuffer<float> device_head_alpha_;             // [layers, num_heads]
};

/// What the counts `[layers, num_heads, tiles]` of a chunk that ends at `kv_len` come to.
BlockTotals total_blocks(const std::vector<int32_t>& counts, int lists, int q_len, int kv_len);

}  // namespace longview::decoder
