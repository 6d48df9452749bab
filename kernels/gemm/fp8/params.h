// What the products in fp8 and the way there need to know about one call.
#pragma once

#include "gemm/params.h"

namespace longview::gemm {

/// The largest magnitude of e4m3.
constexpr float kE4m3Max = 448.f;

/// The longest row that quantize_rows() takes.
constexpr int kMaxQuantizedFeatures = 20480;

/// output = e4m3(input / scale), a scale for each row: its largest magnitude becomes 448. With
/// `norm_weight`, rows are RMS-normed first, in fp32. All in device memory, aligned to 16 bytes, the scales to 4.
struct QuantizeParams {
  const void* input;         // bf16 [rows, features]
  const float* norm_weight;  // [features], or null
  float norm_epsilon;        // with norm_weight, > 0
  void* output;              // e4m3 [rows, features]
  float* scales;             // [rows]
  int rows;                  // >= 0; 0 does nothing
  int features;              // a positive multiple of kFeatureMultiple, at most kMaxQuantizedFeatures
};

/// GemmParams with operands in e4m3: output = epilogue(sum * activation scale * weight scale). Scales of
/// activations are aligned to 4 bytes. On sm_90a the sums keep about 14 bits between steps of 32 features:
/// the tensor cores' own, which adds a few thousandths of what the rounding to e4m3 has lost already.
struct Fp8GemmParams {
  const void* activations;         // e4m3 [tokens, in_features]
  const float* activation_scales;  // [tokens]
  const void* weights;             // e4m3 [out_features, in_features]
  const float* weight_scales;      // [out_features]
  void* output;
  const float* bias;
  const void* residual;
  Epilogue epilogue;

  int tokens;
  int in_features;
  int out_features;
};

}  // namespace longview::gemm
