#include "decoder/layer_products.h"

#include "decoder/ops/api.h"

namespace longview::decoder {

namespace {

using gemm::Epilogue;

template <class Matrices>
const auto& matrix_of(const Matrices& matrices, Linear linear) {
  switch (linear) {
    case Linear::kQkv:
      return matrices.qkv;
    case Linear::kOutput:
      return matrices.output;
    case Linear::kGateUp:
      return matrices.gate_up;
    case Linear::kDown:
      break;
  }
  return matrices.down;
}

/// The members that parameters of both precisions share.
template <class Params, class Matrix>
Params params_of(const Matrix& weight, int tokens, const float* bias, void* output,
                 Epilogue epilogue) {
  Params params{};
  params.weights = weight.data;
  params.output = output;
  params.bias = epilogue == Epilogue::kBias ? bias : nullptr;
  params.residual = epilogue == Epilogue::kResidual ? output : nullptr;
  params.epilogue = epilogue;
  params.tokens = tokens;
  params.in_features = weight.columns;
  params.out_features = weight.rows;
  return params;
}

FusedMatrices bf16_weights(const Model& model, int layer) {
  if (model.weights.form() == WeightForm::kBf16) return model.weights.fused(layer);
  return model.weights.expand(layer, model.workspace.layer_scratch(), model.stream.get());
}

}  // namespace

Bf16Products::Bf16Products(const Model& model, int layer, int tokens, const gemm::Gemm& gemm)
    : model_(model),
      tokens_(tokens),
      gemm_(gemm),
      qkv_bias_(model.weights.norms(layer).qkv_bias),
      weights_(bf16_weights(model, layer)) {}

void Bf16Products::of_hidden(Linear linear, const float* norm_weight, void* output,
                             Epilogue epilogue) const {
  RmsNormParams params{};
  params.input = model_.workspace.hidden();
  params.weight = norm_weight;
  params.output = model_.workspace.normed();
  params.tokens = tokens_;
  params.features = model_.spec.hidden_size;
  params.epsilon = model_.spec.norm_epsilon;
  rms_norm(params, model_.stream.get());
  of(linear, params.output, output, epilogue);
}

void Bf16Products::of(Linear linear, const void* input, void* output, Epilogue epilogue) const {
  auto params =
      params_of<gemm::GemmParams>(weight(linear), tokens_, qkv_bias_, output, epilogue);
  params.activations = input;
  gemm_.run(params, model_.stream.get());
}

const quant::WeightMatrix& Bf16Products::weight(Linear linear) const {
  return matrix_of(weights_, linear);
}

Fp8Products::Fp8Products(const Model& model, int layer, int tokens)
    : model_(model),
      tokens_(tokens),
      qkv_bias_(model.weights.norms(layer).qkv_bias),
      weights_(model.fp8->layer(layer)) {}

void Fp8Products::of_hidden(Linear linear, const float* norm_weight, void* output,
                            Epilogue epilogue) const {
  round(model_.workspace.hidden(), norm_weight, weight(linear).columns);
  multiply(linear, output, epilogue);
}

void Fp8Products::of(Linear linear, const void* input, void* output, Epilogue epilogue) const {
  round(input, nullptr, weight(linear).columns);
  multiply(linear, output, epilogue);
}

void Fp8Products::round(const void* rows, const float* norm_weight, int features) const {
  gemm::QuantizeParams params{};
  params.input = rows;
  params.norm_weight = norm_weight;
  params.norm_epsilon = model_.spec.norm_epsilon;
  params.output = model_.workspace.rounded();
  params.scales = model_.workspace.rounded_scales();
  params.rows = tokens_;
  params.features = features;
  model_.fp8->gemm().quantize(params, model_.stream.get());
}

void Fp8Products::multiply(Linear linear, void* output, Epilogue epilogue) const {
  auto params =
      params_of<gemm::Fp8GemmParams>(weight(linear), tokens_, qkv_bias_, output, epilogue);
  params.activations = model_.workspace.rounded();
  params.activation_scales = model_.workspace.rounded_scales();
  params.weight_scales = weight(linear).scales;
  model_.fp8->gemm().run(params, model_.stream.get());
}

const Fp8Matrix& Fp8Products::weight(Linear linear) const { return matrix_of(weights_, linear); }

}  // namespace longview::decoder
