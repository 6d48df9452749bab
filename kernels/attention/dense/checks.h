// What a call of prefill attention must fulfil.
#pragma once

#include <string>

#include "attention/checks.h"
#include "attention/dense/params.h"
#include "common/kv_block.h"

namespace longview::attention {

/// Refuses what is outside the limits of DensePrefillParams, in the name of `checks`.
/// @throws std::invalid_argument
inline void check_prefill(const Checks& checks, const DensePrefillParams& params) {
  checks.require_heads(params.num_heads, params.num_kv_heads, params.head_dim);
  checks.require(
      params.q_len >= 0 && params.q_len <= params.kv_len,
      std::to_string(params.q_len) + " queries over " + std::to_string(params.kv_len) + " keys");
  checks.require_scale(params.softmax_scale);
  if (params.q_len == 0) return;
  checks.require_pointer(params.query, "query");
  checks.require_pointer(params.key, "key");
  checks.require_pointer(params.value, "value");
  checks.require_pointer(params.output, "output");
  if (params.block_table == nullptr) return;
  checks.require_aligned(params.block_table, "block_table", sizeof(int32_t));
  checks.require(params.pool_blocks >= kv_blocks(params.kv_len),
                 "a pool of " + std::to_string(params.pool_blocks) + " blocks for " +
                     std::to_string(params.kv_len) + " keys");
}

}  // namespace longview::attention
