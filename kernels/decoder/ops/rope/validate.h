// Checks shared by the calls that rotate and write KV.
#pragma once

#include "decoder/ops/checks.h"
#include "decoder/ops/rope/params.h"

namespace longview::decoder {

/// All of `params` but `qkv`, `tokens` and the norms.
/// @throws std::invalid_argument in the name of `checks`.
inline void check_rotation(const Checks& checks, const RopeKvParams& params) {
  checks.require(params.head_dim == 64 || params.head_dim == 128,
                 "head_dim " + std::to_string(params.head_dim) + " is not 64 or 128");
  checks.require(params.num_kv_heads > 0 && params.num_heads > 0 &&
                     params.num_heads % params.num_kv_heads == 0,
                 std::to_string(params.num_heads) + " heads over " +
                     std::to_string(params.num_kv_heads) + " KV heads");
  checks.require(params.pairs == RopePairs::kHalves || params.pairs == RopePairs::kInterleaved,
                 "pairs are neither halves nor interleaved");
  checks.require_pointer(params.query, "query");
  checks.require_pointer(params.key_pool, "key_pool");
  checks.require_pointer(params.value_pool, "value_pool");
  checks.require_pointer(params.block_table, "block_table", alignof(int32_t));
  checks.require_pointer(params.first_position, "first_position", alignof(int32_t));
  checks.require_pointer(params.cos, "cos");
  checks.require_pointer(params.sin, "sin");
}

}  // namespace longview::decoder
