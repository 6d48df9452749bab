// One chunk of a prompt through all layers.
#pragma once

#include <functional>
#include <optional>

#include "attention/dense/api.h"
#include "decoder/layer_pacer.h"
#include "decoder/model.h"
#include "decoder/span_clock.h"
#include "decoder/sparse_attention.h"
#include "gemm/api.h"

namespace longview::decoder {

/// Both are called on the calling thread, between layers; either may be empty.
struct PrefillControl {
  std::function<bool()> should_stop;
  std::function<void(int layers_done)> on_layer;
};

/// kPortable: those that run everywhere, also where faster ones exist; for tests.
enum class PrefillKernels { kFastest, kPortable };

constexpr gemm::GemmKernel gemm_kernel(PrefillKernels kernels) {
  return kernels == PrefillKernels::kPortable ? gemm::GemmKernel::kPortable
                                              : gemm::GemmKernel::kFastest;
}

/// The kernels of prefill, chosen for the device that was current when it was made.
class Prefill {
 public:
  /// @param sparse_chunk_tokens longest sparse chunk; 0: all prefill is dense.
  Prefill(const ModelSpec& spec, PrefillKernels kernels, int sparse_chunk_tokens);

  /// Enqueues `tokens` tokens: their ids in `workspace.host_token_ids()`, their position in
  /// `workspace.host_step()`, room for them reserved. Leaves the residual stream in
  /// `workspace.hidden()` and their K and V in the pool. With `sparse`, leaves what the layers
  /// chose in `workspace.block_counts()`.
  /// @throws CancelledError between layers, with work still running.
  void enqueue(const Model& model, const Sequence& sequence, int tokens,
               const std::optional<SparseRequest>& sparse, const LayerPacer& pacer,
               const PrefillControl& control);

  /// Milliseconds that attention took in the last chunk, which is done, over `layers` layers.
  double attention_ms(int layers) const { return clock_.total_ms(layers); }

  /// Of that: choosing key blocks, where the chunk had a selection.
  double selection_ms(int layers) const { return sparse_->selection_ms(layers); }

 private:
  gemm::Gemm gemm_;
  attention::DensePrefill dense_;
  std::optional<SparseAttention> sparse_;
  SpanClock clock_;
};

}  // namespace longview::decoder
