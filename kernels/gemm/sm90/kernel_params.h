// What the sm_90a kernel reads besides the tensors' bytes.
#pragma once

#include <cuda.h>

#include <cstdint>

namespace longview::gemm::sm90 {

struct KernelParams {
  CUtensorMap activations;  // boxes of 64 columns x kTileM rows
  CUtensorMap weights;      // boxes of 64 columns x kLoadedN rows
  CUtensorMap output;       // boxes of 64 columns x kWarpgroupRows rows
  const float* bias;
  const uint16_t* residual;
  int tokens;
  int out_features;
  int k_steps;       // in_features / kTileK
  int row_pairs;     // pairs of row tiles, one for each block of a cluster
  int column_tiles;
};

}  // namespace longview::gemm::sm90
