#include "decoder/span_clock.h"

namespace longview::decoder {

void SpanClock::begin(int layer, const Stream& stream) {
  if (spans_.size() <= static_cast<size_t>(layer)) spans_.resize(layer + 1);
  spans_[layer].begin.record(stream);
}

void SpanClock::end(int layer, const Stream& stream) { spans_[layer].end.record(stream); }

double SpanClock::total_ms(int layers) const {
  double sum = 0.0;
  for (int layer = 0; layer < layers; ++layer) {
    sum += spans_[layer].end.elapsed_ms(spans_[layer].begin);
  }
  return sum;
}

}  // namespace longview::decoder
