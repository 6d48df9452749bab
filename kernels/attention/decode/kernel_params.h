// What the host passes to the kernels of flash decode, and their sizes.
#pragma once

#include <cstdint>

namespace longview::attention {

struct DecodeKernelParams {
  const uint16_t* query;
  const uint16_t* key;
  const uint16_t* value;
  uint16_t* output;
  const int32_t* block_table;  // or null
  const int32_t* kv_len;       // [1]
  float* partial_outputs;      // [num_heads, max_splits, head_dim], not divided by their sums
  float2* partial_softmax;     // [num_heads, max_splits]: scaled maximum, sum
  int max_kv_len;
  int max_splits;   // of max_kv_len: the grid
  int split_limit;  // see decode_splits
  int num_heads;
  int num_kv_heads;
  int heads_per_kv_head;
  int head_tiles;    // of one KV head
  float scale_log2;  // softmax scale * log2(e)
};

/// Each warp streams slices of its own through a ring in shared memory. The ring takes what a block
/// can have on every device (99 KB); two blocks fill a multiprocessor of the large ones.
template <int kHeadDim_>
struct DecodeConfig {
  static constexpr int kHeadDim = kHeadDim_;
  static constexpr int kWarps = 4;
  static constexpr int kThreads = 32 * kWarps;
  static constexpr int kTileHeads = 16;               // query heads of one block
  static constexpr int kSliceKeys = 2048 / kHeadDim;  // 4 KB of keys, 4 KB of values
  static constexpr int kTileBytes = kSliceKeys * kHeadDim * 2;
  static constexpr int kStageBytes = 2 * kTileBytes;
  static constexpr int kStages = 3;
  static constexpr int kSharedBytes = kWarps * kStages * kStageBytes;
  static constexpr int kBlocksPerMultiprocessor = 2;
  static_assert(kWarps * kTileHeads * kHeadDim * 4 <= kSharedBytes, "partial outputs do not fit");
};

struct CombineConfig {
  static constexpr int kWarps = 8;
  static constexpr int kThreads = 32 * kWarps;
};

}  // namespace longview::attention
