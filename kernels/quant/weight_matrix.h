// A weight matrix as it lies in device memory.
#pragma once

#include "quant/block_format.h"

namespace longview::quant {

constexpr int kColumnMultiple = 16;
constexpr int kWeightAlignment = 16;

/// [rows, columns] (out, in), row-major, the rows one behind the other as in the file. `data` is
/// aligned to 16 bytes and readable up to the next multiple of 16 behind its last row: kernels read
/// aligned words that reach over a block's end. `columns` is a multiple of 16 and of the block's
/// elements.
struct WeightMatrix {
  const void* data;
  BlockFormat format;
  int rows;
  int columns;
};

}  // namespace longview::quant
