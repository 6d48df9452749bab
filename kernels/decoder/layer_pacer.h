// Keeps the host close to the device.
#pragma once

#include "common/stream.h"

namespace longview::decoder {

/// Lets the host enqueue a layer only when the device has begun the one before it, so that whoever
/// stops between layers waits for two layers at most. Waiting does not occupy a processor core.
class LayerPacer {
 public:
  LayerPacer();
  LayerPacer(const LayerPacer&) = delete;
  LayerPacer& operator=(const LayerPacer&) = delete;
  ~LayerPacer();

  /// Before the work of `layer` is enqueued: waits until that of `layer - 2` is done.
  void before(int layer) const;

  /// After the work of `layer` was enqueued.
  void after(int layer, const Stream& stream) const;

  /// Waits until all that was enqueued on `stream` is done.
  void drain(const Stream& stream) const;

 private:
  cudaEvent_t ends_[2] = {nullptr, nullptr};
};

}  // namespace longview::decoder
