// Times one part of each layer of a chunk.
#pragma once

#include <vector>

#include "common/stream.h"

namespace longview::decoder {

/// Two points in the stream for each layer; the host reads them when the chunk is done.
class SpanClock {
 public:
  void begin(int layer, const Stream& stream);
  void end(int layer, const Stream& stream);

  /// Milliseconds of the spans of the first `layers` layers, all of which have ended.
  double total_ms(int layers) const;

 private:
  struct Span {
    Event begin{true};
    Event end{true};
  };
  std::vector<Span> spans_;  // of layers seen so far
};

}  // namespace longview::decoder
