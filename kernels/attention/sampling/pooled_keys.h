// Averages of consecutive keys, and how they lie in memory.
#pragma once

#include <cuda_runtime_api.h>

#include "attention/block_lists.h"
#include "common/kv_block.h"

namespace longview::attention {

/// Averages of `kPooledKeys_` consecutive keys. A block of the KV pool has kPoolBlockRows of them,
/// in an order made for the accumulators of matrix products, in which the four lanes of a quad hold
/// columns 8 * j + 2 * lane + {0, 1}: lane t finds all averages of key blocks 2 * t and 2 * t + 1
/// among its own columns. Two of ten key blocks are left over; lanes t and t + 2 share block 8 + t.
/// So nearly all of a block's mass is added up within a thread.
template <int kPooledKeys_>
struct PooledKeys {
  static constexpr int kPooledKeys = kPooledKeys_;
  static constexpr int kBlockRows = kSelectionBlockKeys / kPooledKeys;
  static constexpr int kPoolBlockRows = KV_BLOCK_TOKENS / kPooledKeys;
  static constexpr int kPoolBlockBlocks = KV_BLOCK_TOKENS / kSelectionBlockKeys;
  static_assert(kPoolBlockBlocks == 10 && kBlockRows % 4 == 0);

  /// The rows of one tile of stage 1, and the blocks of the KV pool that they come from.
  static constexpr int kTileRows = 160;
  static constexpr int kSegments = kTileRows / kPoolBlockRows;
  static constexpr int kSegmentRows = kPoolBlockRows;
  static constexpr int kTileBlocks = kSegments * kPoolBlockBlocks;
  static_assert(kSegments * kPoolBlockRows == kTileRows);

  /// Row, within its pool block, of average `key` of key block `block`.
  static __host__ __device__ constexpr int row(int block, int key) {
    if (block < 8) {
      return block % 2 * 4 * kBlockRows + key / 2 * 8 + block / 2 * 2 + key % 2;
    }
    return 8 * kBlockRows + key / 4 * 8 + (block - 8 + key / 2 % 2 * 2) * 2 + key % 2;
  }

  // The same from the side of lane t: elements of its accumulators, where matrix row `row` of its
  // two has elements 4 * j + 2 * row + {0, 1}, and the number of each average within the tile.

  /// Average `key` of the lane's own block `which` (0 or 1) of a segment.
  static __host__ __device__ constexpr int own_element(int segment, int which, int key, int row) {
    return 4 * ((segment * kPoolBlockRows + 4 * kBlockRows * which) / 8 + key / 2) + 2 * row +
           key % 2;
  }
  static __host__ __device__ constexpr int own_number(int segment, int which, int key, int lane) {
    return segment * kPoolBlockRows + (2 * lane + which) * kBlockRows + key;
  }

  /// Averages of the shared block that one of its two lanes holds.
  static constexpr int kSharedRows = kBlockRows / 2;
  static __host__ __device__ constexpr int shared_element(int segment, int i, int row) {
    return 4 * ((segment * kPoolBlockRows + 8 * kBlockRows) / 8 + i / 2) + 2 * row + i % 2;
  }
  static __host__ __device__ constexpr int shared_number(int segment, int i, int lane) {
    return segment * kPoolBlockRows + (8 + lane % 2) * kBlockRows + i / 2 * 4 + lane / 2 * 2 +
           i % 2;
  }
};

/// The keys themselves, in the order of the sequence. A tile of stage 1 is a part of a pool block.
template <>
struct PooledKeys<1> {
  static constexpr int kPooledKeys = 1;
  static constexpr int kPoolBlockRows = KV_BLOCK_TOKENS;
  static constexpr int kTileRows = 128;
  static constexpr int kSegments = 1;
  static constexpr int kSegmentRows = kTileRows;
  static constexpr int kTileBlocks = kTileRows / kSelectionBlockKeys;
  static_assert(KV_BLOCK_TOKENS % kTileRows == 0);
};

}  // namespace longview::attention
