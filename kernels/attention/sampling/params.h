// What query-guided sampling (stage 1) needs to know about one call.
#pragma once

#include <cuda_runtime_api.h>

#include <climits>
#include <cstddef>
#include <cstdint>

#include "attention/block_lists.h"
#include "common/kv_block.h"

namespace longview::attention {

/// Rows of sampled queries that are worked on together.
constexpr int kSampledGroupRows = 64;

/// Which rows of a call are sampled: in groups of 64, of which group g begins with the
/// `min(first + g * group_step, last)`-th of every `step`-th row. The i-th of every `step`-th row
/// is row `(i + 1) * step - 1`.
struct SampledRows {
  int step;
  int count;  // of every step-th rows
  int groups;
  int first;
  int group_step;
  int last;

  /// Every step-th row of the call; the last group may have fewer than 64 that exist.
  static SampledRows strided(int q_len, int step) {
    const int count = q_len / step;
    return {
        step,   count, (count + kSampledGroupRows - 1) / kSampledGroupRows, 0, kSampledGroupRows,
        INT_MAX};
  }

  /// The last 64 rows of each segment; the call has at least 64.
  static SampledRows tails(int q_len, int segment) {
    return {1,
            q_len,
            (q_len + segment - 1) / segment,
            segment - kSampledGroupRows,
            segment,
            q_len - kSampledGroupRows};
  }

  __host__ __device__ int group_start(int group) const {
    const int start = first + group * group_step;
    return start < last ? start : last;
  }

  /// Row `i` of a group, within the call.
  __host__ __device__ int row(int group, int i) const {
    return (group_start(group) + i + 1) * step - 1;
  }
};

/// Masses of a row that are written together; a multiple of the blocks of every tile of stage 1.
constexpr int kMassGroupBlocks = 80;

/// Place of a row of masses.
constexpr int mass_pitch(int kv_len) {
  const int blocks = kv_blocks(kv_len) * (KV_BLOCK_TOKENS / kSelectionBlockKeys);
  return (blocks + kMassGroupBlocks - 1) / kMassGroupBlocks * kMassGroupBlocks;
}

/// The softmax mass of each block of 64 keys in each sampled row, from averaged keys; up to a
/// constant of each row that keeps the numbers within range. An average that is not wholly at or
/// before the row does not count.
struct SamplingParams {
  const void* query;       // bf16 [q_len, num_heads, head_dim]
  const void* pooled_key;  // bf16 [pool_blocks * KV_BLOCK_TOKENS / pooled_keys, num_kv_heads,
                           // head_dim], rows as PooledKeys says; the keys
                           // themselves where pooled_keys is 1
  uint16_t* block_masses;  // bf16 [num_heads, 64 * rows.groups, mass_pitch(kv_len)] out

  int q_len;
  int kv_len;
  int num_heads;
  int num_kv_heads;
  int head_dim;
  float softmax_scale;
  SampledRows rows;  // at least one group
  int pooled_keys;
  const int32_t* block_table;  // or null
  int pool_blocks;
};

/// Averages of the keys from `first_token` on; those of whole groups alone. `first_token` is
/// rounded down to a group.
struct PoolKeysParams {
  const void* key;   // as SelectionParams
  void* pooled_key;  // as SelectionParams
  int first_token;
  int kv_len;
  int num_kv_heads;
  int head_dim;
  int pooled_keys;
  const int32_t* block_table;  // or null
};

}  // namespace longview::attention
