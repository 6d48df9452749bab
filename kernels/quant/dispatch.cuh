// From a format known at run time to code made for it.
#pragma once

#include <stdexcept>

#include "quant/decode.cuh"

namespace longview::quant {

/// Calls `action` with the Format<...> of `format`.
template <class Action>
void with_format(BlockFormat format, Action action) {
  switch (format) {
    case BlockFormat::kF32:
      return action(Format<BlockFormat::kF32>{});
    case BlockFormat::kF16:
      return action(Format<BlockFormat::kF16>{});
    case BlockFormat::kBf16:
      return action(Format<BlockFormat::kBf16>{});
    case BlockFormat::kQ4_1:
      return action(Format<BlockFormat::kQ4_1>{});
    case BlockFormat::kQ5_0:
      return action(Format<BlockFormat::kQ5_0>{});
    case BlockFormat::kQ8_0:
      return action(Format<BlockFormat::kQ8_0>{});
    case BlockFormat::kQ4_K:
      return action(Format<BlockFormat::kQ4_K>{});
    case BlockFormat::kQ6_K:
      return action(Format<BlockFormat::kQ6_K>{});
  }
  throw std::invalid_argument("not a weight format");
}

}  // namespace longview::quant
