#include "decoder/layer_pacer.h"

namespace longview::decoder {

LayerPacer::LayerPacer() {
  for (cudaEvent_t& end : ends_) {
    LONGVIEW_CUDA(cudaEventCreateWithFlags(&end, cudaEventBlockingSync | cudaEventDisableTiming));
  }
}

LayerPacer::~LayerPacer() {
  for (cudaEvent_t end : ends_) {
    if (end != nullptr) cudaEventDestroy(end);
  }
}

void LayerPacer::before(int layer) const {
  if (layer >= 2) LONGVIEW_CUDA(cudaEventSynchronize(ends_[layer % 2]));
}

void LayerPacer::after(int layer, const Stream& stream) const {
  LONGVIEW_CUDA(cudaEventRecord(ends_[layer % 2], stream.get()));
}

void LayerPacer::drain(const Stream& stream) const {
  LONGVIEW_CUDA(cudaEventRecord(ends_[0], stream.get()));
  LONGVIEW_CUDA(cudaEventSynchronize(ends_[0]));
}

}  // namespace longview::decoder
