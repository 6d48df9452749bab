// The weight formats of GGUF files that Longview reads, and bf16.
#pragma once

#include <cstdint>

namespace longview::quant {

/// Numbers are those of ggml's tensor types in the file format.
enum class BlockFormat : int {
  kF32 = 0,
  kF16 = 1,
  kQ4_1 = 3,
  kQ5_0 = 6,
  kQ8_0 = 8,
  kQ4_K = 12,
  kQ6_K = 14,
  kBf16 = 30,
};

/// A format packs its elements in whole blocks.
struct BlockLayout {
  int elements;
  int bytes;
};

/// @returns {0, 0} for a number that is none of BlockFormat.
constexpr BlockLayout block_layout(BlockFormat format) {
  switch (format) {
    case BlockFormat::kF32:
      return {1, 4};
    case BlockFormat::kF16:
    case BlockFormat::kBf16:
      return {1, 2};
    case BlockFormat::kQ4_1:
      return {32, 20};
    case BlockFormat::kQ5_0:
      return {32, 22};
    case BlockFormat::kQ8_0:
      return {32, 34};
    case BlockFormat::kQ4_K:
      return {256, 144};
    case BlockFormat::kQ6_K:
      return {256, 210};
  }
  return {0, 0};
}

/// Bytes of one row of `columns` elements; `columns` is a multiple of the block's elements.
constexpr int64_t row_bytes(BlockFormat format, int columns) {
  const BlockLayout layout = block_layout(format);
  return int64_t{columns} / layout.elements * layout.bytes;
}

}  // namespace longview::quant
