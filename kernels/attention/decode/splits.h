// How the keys of one decode step are dealt out.
#pragma once

#include <cuda_runtime_api.h>

#include <cstdint>

namespace longview::attention {

/// Slices a split holds at least: below, combining costs more than another block brings.
constexpr int kMinSlicesPerSplit = 8;

/// Splits of `slices` slices of keys; `limit` is what fills the device. Grows with the slices, so a
/// grid made for the longest context covers every shorter one.
__host__ __device__ inline int decode_splits(int slices, int limit) {
  const int wanted = (slices + kMinSlicesPerSplit - 1) / kMinSlicesPerSplit;
  return wanted < limit ? wanted : limit;
}

/// First slice of `split`; the next split's first slice is where it ends.
__host__ __device__ inline int first_slice(int split, int splits, int slices) {
  return static_cast<int>(int64_t{slices} * split / splits);
}

}  // namespace longview::attention
