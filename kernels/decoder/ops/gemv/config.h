// Sizes of the matrix-vector kernels.
#pragma once

#include <cstdint>

#include "quant/block_format.h"

namespace longview::decoder {

/// One block on each multiprocessor, of which two fit there: the next kernel's block fetches its
/// first weights while this one's still computes.
constexpr int kGemvThreads = 512;
constexpr int kGemvWarps = kGemvThreads / 32;
constexpr int kGemvBlocksPerMultiprocessor = 2;
constexpr int kMaxGemvColumns = 24576;

/// Shared memory for weights in flight, a warp. To keep 4.8 TB/s busy over about a microsecond of
/// latency takes 37 KB a multiprocessor; the large ring has twice that, the small one leaves room
/// for the input in the 99 KB of 8.6, 8.9 and 12.0.
constexpr int kLargeRingBytes = 5120;
constexpr int kSmallRingBytes = 3072;

constexpr bool has_large_shared_memory(int major, int minor) {
  return (major == 8 || major == 9) && minor == 0;
}

/// How a warp walks along rows of one format, `kRows` at a time: a stage is the part of these rows
/// that it treats at once. A lane takes 16 bytes of plain elements a row (32 of a single row, so
/// that what a stage costs beside its products is shared by as many), or a run of 16 quantised
/// ones.
template <quant::BlockFormat kFormat, int kRows>
struct StageShape {
  static constexpr quant::BlockLayout kLayout = quant::block_layout(kFormat);
  static constexpr bool kIsPlain = kLayout.elements == 1;
  static constexpr int kLaneRuns = kIsPlain && kRows == 1 ? 2 : 1;
  static constexpr int kRunElements = kIsPlain ? 16 / kLayout.bytes : 16;
  static constexpr int kLanesElements = 32 * kRunElements;  // of one run of each lane
  static constexpr int kElements = kLaneRuns * kLanesElements;
  static constexpr int kBytes = kElements / kLayout.elements * kLayout.bytes;
  /// Pieces of 16 bytes; blocks that begin anywhere reach into one more.
  static constexpr int kPieces = kIsPlain ? kBytes / 16 : (kBytes + 15) / 16 + 1;
  static constexpr int kRowBytes = kPieces * 16;
  static constexpr int kSlotBytes = kRows * kRowBytes;
};

/// Stages that the ring of one warp holds.
template <quant::BlockFormat kFormat, int kRows>
constexpr int ring_stages(bool is_large) {
  return (is_large ? kLargeRingBytes : kSmallRingBytes) / StageShape<kFormat, kRows>::kSlotBytes;
}

/// Dynamic shared memory of a block: the rings of its warps, then the input as bf16.
template <quant::BlockFormat kFormat, int kRows>
constexpr int shared_bytes(bool is_large, int columns) {
  const int ring_bytes =
      ring_stages<kFormat, kRows>(is_large) * StageShape<kFormat, kRows>::kSlotBytes;
  return kGemvWarps * ring_bytes + columns * 2;
}

}  // namespace longview::decoder
