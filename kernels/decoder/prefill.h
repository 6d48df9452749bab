// One chunk of a prompt through all layers.
#pragma once

#include <functional>

#include "attention/dense/api.h"
#include "decoder/layer_pacer.h"
#include "decoder/model.h"
#include "gemm/api.h"

namespace longview::decoder {

/// Both are called on the calling thread, between layers; either may be empty.
struct PrefillControl {
  std::function<bool()> should_stop;
  std::function<void(int layers_done)> on_layer;
};

/// kPortable: those that run everywhere, also where faster ones exist; for tests.
enum class PrefillKernels { kFastest, kPortable };

/// The kernels of prefill, chosen for the device that was current when it was made.
class Prefill {
 public:
  explicit Prefill(PrefillKernels kernels)
      : gemm_(kernels == PrefillKernels::kPortable ? gemm::GemmKernel::kPortable
                                                   : gemm::GemmKernel::kFastest),
        attention_(kernels == PrefillKernels::kPortable ? attention::PrefillKernel::kPortable
                                                        : attention::PrefillKernel::kFastest) {}

  /// Enqueues `tokens` tokens: their ids in `workspace.host_token_ids()`, their position in
  /// `workspace.host_step()`, room for them reserved. Leaves the residual stream in
  /// `workspace.hidden()` and their K and V in the pool.
  /// @throws CancelledError between layers, with work still running.
  void enqueue(const Model& model, const Sequence& sequence, int tokens, const LayerPacer& pacer,
               const PrefillControl& control) const;

 private:
  gemm::Gemm gemm_;
  attention::DensePrefill attention_;
};

}  // namespace longview::decoder
