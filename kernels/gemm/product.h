// One product of either type, as the kernels' launches take it.
#pragma once

#include "gemm/fp8/params.h"
#include "gemm/params.h"

namespace longview::gemm {

struct Product {
  const void* activations;
  const float* activation_scales;  // with e4m3, else null
  const void* weights;
  const float* weight_scales;  // likewise
  void* output;
  const float* bias;
  const void* residual;
  Epilogue epilogue;
  int tokens;
  int in_features;
  int out_features;
};

inline Product product_of(const GemmParams& params) {
  return {params.activations, nullptr,         params.weights,  nullptr,
          params.output,      params.bias,     params.residual, params.epilogue,
          params.tokens,      params.in_features, params.out_features};
}

inline Product product_of(const Fp8GemmParams& params) {
  return {params.activations, params.activation_scales, params.weights,  params.weight_scales,
          params.output,      params.bias,              params.residual, params.epilogue,
          params.tokens,      params.in_features,       params.out_features};
}

}  // namespace longview::gemm
