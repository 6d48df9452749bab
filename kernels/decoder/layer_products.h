// The linear layers of one layer of one prefill chunk, in either precision.
#pragma once

#include "decoder/fp8_layers.h"
#include "decoder/model.h"
#include "gemm/api.h"

namespace longview::decoder {

enum class Linear { kQkv, kOutput, kGateUp, kDown };

/// In bf16. Weights kept as stored are made bf16 when it is made.
class Bf16Products {
 public:
  Bf16Products(const Model& model, int layer, int tokens, const gemm::Gemm& gemm);

  /// Enqueues the product of the normed residual stream. Its place is `workspace.normed()`.
  void of_hidden(Linear linear, const float* norm_weight, void* output,
                 gemm::Epilogue epilogue) const;

  /// Enqueues the product of `input`, bf16 rows. With kResidual, `output` is added to.
  void of(Linear linear, const void* input, void* output, gemm::Epilogue epilogue) const;

 private:
  const quant::WeightMatrix& weight(Linear linear) const;

  const Model& model_;
  const int tokens_;
  const gemm::Gemm& gemm_;
  const float* qkv_bias_;
  FusedMatrices weights_;
};

/// The same in fp8: rows are rounded to e4m3 in `workspace.rounded()` before each product.
class Fp8Products {
 public:
  /// `model.fp8` is there.
  Fp8Products(const Model& model, int layer, int tokens);

  void of_hidden(Linear linear, const float* norm_weight, void* output,
                 gemm::Epilogue epilogue) const;
  void of(Linear linear, const void* input, void* output, gemm::Epilogue epilogue) const;

 private:
  void round(const void* rows, const float* norm_weight, int features) const;
  void multiply(Linear linear, void* output, gemm::Epilogue epilogue) const;
  const Fp8Matrix& weight(Linear linear) const;

  const Model& model_;
  const int tokens_;
  const float* qkv_bias_;
  Fp8Matrices weights_;
};

}  // namespace longview::decoder
