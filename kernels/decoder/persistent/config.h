// Sizes of the persistent kernel.
#pragma once

namespace longview::decoder {

/// One block on each multiprocessor: some warps bring the memory of the whole step into a ring, the
/// others compute. The ring's 200 KB are what 6 microseconds bring at 4.2 TB/s: longer than the
/// waits between two large products.
struct PersistentConfig {
  static constexpr int kWarps = 8;  // that compute
  static constexpr int kThreads = 32 * kWarps;
  static constexpr int kFetchWarps = 4;  // that fetch
  static constexpr int kBlockThreads = kThreads + 32 * kFetchWarps;

  /// A stage holds a piece of each row of a tile, or keys or values of some slices.
  static constexpr int kStages = 12;
  static_assert(kStages % kFetchWarps == 0, "a slot is one fetching warp's");
  /// Stages that are fetched at a time: as much as keeps the memory busy, and no more. All else that
  /// the block asks for waits behind what is under way.
  static constexpr int kUnderWay = 3;
  static_assert(2 * kUnderWay <= kStages, "parities tell a stage from the one a round before");
  static constexpr int kTileRows = 16;
  static constexpr int kStepColumns = 16;  // of one mma.sync
  static constexpr int kMaxPieceBytes = 1024;
  /// Pieces lie so far apart that those of eight rows lie in different banks.
  static constexpr int kPiecePitch = kMaxPieceBytes + 16;
  static constexpr int kSliceBytes = 4096;
  static constexpr int kStageSlices = 4;
  static constexpr int kStageBytes = kTileRows * kPiecePitch;
  static_assert(kStageSlices * kSliceBytes <= kStageBytes && kStageBytes % 128 == 0);

  static constexpr int kMaxGroupHeads = 8;        // query heads of one KV head
  static constexpr int kMergeWarps = kWarps / 2;  // leave their attention for the other half
  static constexpr int kMergeBytes = kMergeWarps * kMaxGroupHeads * 128 * 4;
  static constexpr int kMaxSplitBlocks = 64;  // KV blocks that one split reaches into
  static constexpr int kMaxRows = 192;        // of one block in one product
};

}  // namespace longview::decoder
