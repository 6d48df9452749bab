// Where the rows of one matrix lie within another that holds more.
#pragma once

namespace longview::quant {

/// Row r goes to row (r / block) * step + offset + r % block. The default changes nothing.
///   rows behind others (Q, K, V in one matrix):  {1, 1, rows before}
///   gate and up interleaved by B rows:            {B, 2 * B, 0} and {B, 2 * B, B}
struct RowMap {
  int block = 1;
  int step = 1;
  int offset = 0;

#ifdef __CUDACC__
  __host__ __device__
#endif
      constexpr int operator()(int row) const {
    return (row / block) * step + offset + row % block;
  }
};

}  // namespace longview::quant
