// Owner of a CUDA graph that was recorded from a stream.
#pragma once

#include <utility>

#include "common/cuda_error.h"
#include "common/stream.h"

namespace longview::decoder {

/// Work recorded once and launched as a whole. Pointers and sizes are those of the recording.
class CudaGraph {
 public:
  CudaGraph() = default;
  CudaGraph(CudaGraph&& other) noexcept : graph_(std::exchange(other.graph_, nullptr)) {}
  CudaGraph& operator=(CudaGraph&& other) noexcept {
    std::swap(graph_, other.graph_);
    return *this;
  }
  ~CudaGraph() {
    if (graph_ != nullptr) cudaGraphExecDestroy(graph_);
  }

  /// Records what `enqueue` puts on `stream`; nothing of it runs.
  /// @throws CudaError when it cannot be recorded, and whatever `enqueue` throws.
  template <class Enqueue>
  static CudaGraph record(const Stream& stream, const Enqueue& enqueue) {
    LONGVIEW_CUDA(cudaStreamBeginCapture(stream.get(), cudaStreamCaptureModeThreadLocal));
    cudaGraph_t recorded = nullptr;
    try {
      enqueue();
    } catch (...) {
      cudaStreamEndCapture(stream.get(), &recorded);
      if (recorded != nullptr) cudaGraphDestroy(recorded);
      throw;
    }
    LONGVIEW_CUDA(cudaStreamEndCapture(stream.get(), &recorded));
    CudaGraph graph;
    const cudaError_t status = cudaGraphInstantiate(&graph.graph_, recorded, 0);
    cudaGraphDestroy(recorded);
    LONGVIEW_CUDA(status);
    return graph;
  }

  bool is_empty() const { return graph_ == nullptr; }
  void launch(const Stream& stream) const { LONGVIEW_CUDA(cudaGraphLaunch(graph_, stream.get())); }

 private:
  cudaGraphExec_t graph_ = nullptr;
};

}  // namespace longview::decoder
