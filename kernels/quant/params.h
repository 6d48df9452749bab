// What dequantisation needs to know about one call.
#pragma once

#include <cstdint>

#include "quant/row_map.h"
#include "quant/weight_matrix.h"

namespace longview::quant {

/// Writes a whole matrix as bf16: each value is the fp32 value of the file's format, rounded to
/// nearest even. Source and destination do not overlap.
struct DequantizeParams {
  WeightMatrix source;
  void* destination;           // bf16, row-major, aligned to 16 bytes
  int64_t destination_stride;  // elements from row to row: >= columns, a multiple of 8
  RowMap row_map;              // destination row of each source row; rows not hit are left alone
};

}  // namespace longview::quant
