// CPU oracle of the linear layers' products: plain loops, sums in double.
#pragma once

namespace longview::reference {

/// Which epilogue; the numbers are those of gemm::Epilogue.
enum class GemmEpilogue { kNone, kBias, kResidual, kSwiglu };

/// output = epilogue(activations * weights^T); everything fp32 and row-major.
struct GemmParams {
  const float* activations;  // [tokens, in_features]
  const float* weights;      // [out_features, in_features]
  float* output;             // [tokens, out_features], with kSwiglu [tokens, out_features / 2]
  const float* bias;         // [out_features] with kBias
  const float* residual;     // [tokens, out_features] with kResidual
  GemmEpilogue epilogue;
  int tokens;
  int in_features;
  int out_features;
  int swiglu_row_block;  // gates and ups take turns of this many rows
};

void gemm(const GemmParams& params);

}  // namespace longview::reference
