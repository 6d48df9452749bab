#include "decoder/rope_tables.h"

#include "decoder/ops/rope/api.h"

namespace longview::decoder {

RopeTables::RopeTables(const RopeSpec& spec, int positions, const Stream& stream)
    : cos_(size_t{1} * positions * spec.head_dim / 2),
      sin_(size_t{1} * positions * spec.head_dim / 2) {
  RopeTableParams params{};
  params.frequencies = rope_frequencies(spec);
  params.cos = cos_.data();
  params.sin = sin_.data();
  params.positions = positions;
  fill_rope_tables(params, stream.get());
}

}  // namespace longview::decoder
