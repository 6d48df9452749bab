// Cosines and sines of every position of the context.
#pragma once

#include <cstddef>

#include "common/device_buffer.h"
#include "common/stream.h"
#include "decoder/ops/rope/params.h"

namespace longview::decoder {

class RopeTables {
 public:
  /// Enqueues the making of both tables on `stream`.
  RopeTables(const RopeSpec& spec, int positions, const Stream& stream);

  const float* cos() const { return cos_.data(); }
  const float* sin() const { return sin_.data(); }

  static size_t size_bytes(const RopeSpec& spec, int positions) {
    return sizeof(float) * positions * spec.head_dim;
  }

 private:
  DeviceBuffer<float> cos_;
  DeviceBuffer<float> sin_;
};

}  // namespace longview::decoder
