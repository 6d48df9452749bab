// What the sm_90a kernel reads besides the tensors' bytes.
#pragma once

#include <cuda.h>

#include <cstdint>

namespace longview::gemm::sm90 {

struct KernelParams {
  CUtensorMap activations;  // boxes of 64 words x kLoadedM rows
  CUtensorMap weights;      // boxes of 64 words x kLoadedN rows
  CUtensorMap output;       // boxes of 64 columns x 64 rows
  CUtensorMap residual;     // likewise
  const float* bias;
  const float* row_scales;     // [tokens] with scaled operands
  const float* column_scales;  // [out_features] likewise
  int tokens;
  int output_columns;
  int k_steps;       // rows of 128 bytes in a row of activations
  int row_tiles;     // of whole clusters
  int column_tiles;  // likewise
};

}  // namespace longview::gemm::sm90
