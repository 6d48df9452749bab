// Where a token's K and V go, and the rotation of one pair.
#pragma once

#include <cstdint>

#include "common/kv_block.h"

namespace longview::decoder {

/// The pool row of a position.
__device__ inline int64_t pool_row(const int32_t* block_table, int position) {
  return int64_t{block_table[position / KV_BLOCK_TOKENS]} * KV_BLOCK_TOKENS +
         position % KV_BLOCK_TOKENS;
}

/// The pair (a, b) turned by the angle of `cosine` and `sine`.
__device__ inline float2 rotated(float2 pair, float cosine, float sine) {
  return {pair.x * cosine - pair.y * sine, pair.y * cosine + pair.x * sine};
}

}  // namespace longview::decoder
