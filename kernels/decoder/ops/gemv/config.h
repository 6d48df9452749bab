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

/// How a warp walks along rows of one format: a stage is the part of a row that 32 lanes treat at
/// once, each of them `kLaneElements`.
template <quant::BlockFormat kFormat>
struct StageShape {
  static constexpr quant::BlockLayout kLayout = quant::block_layout(kFormat);
  static constexpr bool kIsPlain = kLayout.elements == 1;
  static constexpr int kLaneElements = kIsPlain ? 16 / kLayout.bytes : 16;
  static constexpr int kElements = 32 * kLaneElements;
  static constexpr int kBytes = kElements / kLayout.elements * kLayout.bytes;
  /// Pieces of 16 bytes; blocks that begin anywhere reach into one more.
  static constexpr int kPieces = kIsPlain ? kBytes / 16 : (kBytes + 15) / 16 + 1;
};

/// Stages of `rows` rows that a ring holds.
template <quant::BlockFormat kFormat>
constexpr int ring_stages(int rows, bool is_large) {
  const int stage_bytes = rows * StageShape<kFormat>::kPieces * 16;
  return (is_large ? kLargeRingBytes : kSmallRingBytes) / stage_bytes;
}

/// Dynamic shared memory of a block: the rings of its warps, then the input as bf16.
template <quant::BlockFormat kFormat>
constexpr int shared_bytes(int rows, bool is_large, int columns) {
  return kGemvWarps * ring_stages<kFormat>(rows, is_large) * rows * StageShape<kFormat>::kPieces *
             16 +
         columns * 2;
}

}  // namespace longview::decoder
