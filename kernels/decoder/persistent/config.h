// Sizes of the persistent kernel.
#pragma once

namespace longview::decoder {

/// One block on each multiprocessor: some warps bring the memory of the whole step into a ring, the
/// others compute. The ring's 192 KB are what 6 microseconds bring at 4.1 TB/s: longer than the
/// waits between two large products.
struct PersistentConfig {
  static constexpr int kWarps = 8;  // that compute
  static constexpr int kThreads = 32 * kWarps;
  /// That fetch: one alone takes some 200 cycles for a stage, more than the memory does.
  static constexpr int kFetchWarps = 4;
  static constexpr int kBlockThreads = kThreads + 32 * kFetchWarps;
  static constexpr int kStages = 48;
  static constexpr int kSlotBytes =
      4096;  // of a stage: a part of a row, or keys or values of a slice
  static_assert(kStages % kFetchWarps == 0, "a slot is one fetching warp's");
  static constexpr int kLanesBytes = 32 * 16;  // what the lanes of a warp read at once

  static constexpr int kMaxGroupHeads = 8;        // query heads of one KV head
  static constexpr int kMergeWarps = kWarps / 2;  // leave their attention for the other half
  static constexpr int kMergeBytes = kMergeWarps * kMaxGroupHeads * 128 * 4;
  static constexpr int kMaxSplitBlocks = 64;  // KV blocks that one split reaches into
  static constexpr int kMaxParts = 256;       // of rows, of one block in one product
};

}  // namespace longview::decoder
