#include "decoder/decode_step.h"

#include "attention/decode/api.h"
#include "decoder/ops/api.h"
#include "decoder/ops/gemv/api.h"
#include "decoder/ops/rope/api.h"
#include "decoder/persistent/api.h"

namespace longview::decoder {

namespace {

using quant::WeightMatrix;

/// The parts of one layer of one step, each reading the residual stream and adding to it.
class LayerStep {
 public:
  LayerStep(const Model& model, const Sequence& sequence, int layer)
      : model_(model),
        sequence_(sequence),
        layer_(layer),
        norms_(model.weights.norms(layer)),
        is_bf16_(model.weights.form() == WeightForm::kBf16),
        stream_(model.stream.get()) {}

  void attention() const {
    project_qkv();
    attend();
    add_product(matrix(&FusedMatrices::output, kOutput), model_.workspace.normed());
  }

  void feed_forward() const {
    activate();
    add_product(matrix(&FusedMatrices::down, kDown), model_.workspace.activation());
  }

 private:
  /// Q, K and V of the token, rotated: Q to the workspace, K and V to the pool.
  void project_qkv() const {
    const RopeKvParams rope = rotation(model_, sequence_, layer_, 1);
    if (is_bf16_ && !model_.spec.qk_norm) {
      QkvGemvParams params{};
      params.weight = model_.weights.fused(layer_).qkv;
      params.input = normed_by(norms_.attention);
      params.bias = norms_.qkv_bias;
      params.rope = rope;
      qkv_gemv(params, stream_);
      return;
    }
    if (is_bf16_) {
      project(model_.weights.fused(layer_).qkv, 0);
    } else {
      project(model_.weights.stored(layer_, kQuery), 0);
      project(model_.weights.stored(layer_, kKey), model_.spec.query_size());
      project(model_.weights.stored(layer_, kValue),
              model_.spec.query_size() + model_.spec.kv_size());
    }
    rope_kv(rope, stream_);
  }

  void project(const WeightMatrix& weight, int first_feature) const {
    GemvParams params{};
    params.weight = weight;
    params.input = normed_by(norms_.attention);
    params.bias = norms_.qkv_bias == nullptr ? nullptr : norms_.qkv_bias + first_feature;
    params.output = model_.workspace.qkv() + 2 * first_feature;
    params.output_type = GemvOutput::kBf16;
    gemv(params, stream_);
  }

  void attend() const {
    attention::DecodeParams params{};
    params.query = model_.workspace.query();
    params.key = model_.pool.key(layer_);
    params.value = model_.pool.value(layer_);
    params.block_table = sequence_.block_table();
    params.kv_len = &model_.workspace.step()->kv_len;
    params.workspace = model_.workspace.decode_attention();
    params.output = model_.workspace.normed();
    params.shape = {model_.context_tokens, model_.spec.num_heads, model_.spec.num_kv_heads,
                    model_.spec.head_dim};
    params.softmax_scale = softmax_scale(model_.spec);
    attention::flash_decode(params, stream_);
  }

  void activate() const {
    SwigluGemvParams params{};
    params.input = normed_by(norms_.feed_forward);
    params.output = model_.workspace.activation();
    params.features = model_.spec.feed_forward_size;
    if (is_bf16_) {
      params.gate = params.up = model_.weights.fused(layer_).gate_up;
      params.gate_rows = gate_rows();
      params.up_rows = up_rows();
    } else {
      params.gate = model_.weights.stored(layer_, kGate);
      params.up = model_.weights.stored(layer_, kUp);
      if (params.gate.format != params.up.format) return activate_apart(params);
    }
    swiglu_gemv(params, stream_);
  }

  /// Gate and up in different formats: two products, then their combination.
  void activate_apart(const SwigluGemvParams& fused) const {
    GemvParams product{};
    product.input = fused.input;
    product.output_type = GemvOutput::kBf16;
    product.weight = fused.gate;
    product.output = model_.workspace.gate_up();
    gemv(product, stream_);
    product.weight = fused.up;
    product.output = model_.workspace.gate_up() + 2 * fused.features;
    gemv(product, stream_);
    swiglu({model_.workspace.gate_up(), fused.output, 1, fused.features}, stream_);
  }

  void add_product(const WeightMatrix& weight, const void* input) const {
    GemvParams params{};
    params.weight = weight;
    params.input.values = input;
    params.residual = model_.workspace.hidden();
    params.output = model_.workspace.hidden();
    params.output_type = GemvOutput::kBf16;
    gemv(params, stream_);
  }

  WeightMatrix matrix(WeightMatrix FusedMatrices::*fused, LayerPartIndex part) const {
    return is_bf16_ ? model_.weights.fused(layer_).*fused : model_.weights.stored(layer_, part);
  }

  GemvInput normed_by(const float* weight) const {
    return {model_.workspace.hidden(), weight, model_.spec.norm_epsilon};
  }

  const Model& model_;
  const Sequence& sequence_;
  int layer_;
  LayerNorms norms_;
  bool is_bf16_;
  cudaStream_t stream_;
};

PersistentParams persistent_params(const Model& model, const Sequence& sequence) {
  const ModelSpec& spec = model.spec;
  const Workspace& workspace = model.workspace;
  PersistentParams params{};
  for (int layer = 0; layer < spec.layers; ++layer) {
    const FusedMatrices matrices = model.weights.fused(layer);
    const LayerNorms norms = model.weights.norms(layer);
    PersistentLayer& entry = params.layers[layer];
    const auto place = [&](Phase phase, const WeightMatrix& matrix) {
      entry.matrices[static_cast<int>(phase)] = static_cast<const uint8_t*>(matrix.data);
    };
    place(Phase::kQkv, matrices.qkv);
    place(Phase::kOutput, matrices.output);
    place(Phase::kGateUp, matrices.gate_up);
    place(Phase::kDown, matrices.down);
    entry.attention_norm = norms.attention;
    entry.feed_forward_norm = norms.feed_forward;
    entry.qkv_bias = norms.qkv_bias;
    entry.key_pool = model.pool.key(layer);
    entry.value_pool = model.pool.value(layer);
  }
  params.layer_count = spec.layers;
  params.hidden_size = spec.hidden_size;
  params.feed_forward_size = spec.feed_forward_size;
  params.norm_epsilon = spec.norm_epsilon;
  params.softmax_scale = softmax_scale(spec);
  params.rope = rotation(model, sequence, 0, 1);
  params.hidden = workspace.hidden();
  params.workspace = workspace.persistent();
  shape_products(params);
  return params;
}

/// Returns whether the persistent kernel serves this model, and has been enqueued.
bool enqueue_persistent_layers(const Model& model, const Sequence& sequence) {
  if (model.weights.form() != WeightForm::kBf16 || model.spec.layers > kMaxPersistentLayers) {
    return false;
  }
  const PersistentParams params = persistent_params(model, sequence);
  if (!fits_persistent(params, model.context_tokens)) return false;
  persistent_layers(params, model.stream.get());
  return true;
}

}  // namespace

void enqueue_decode_step(const Model& model, const Sequence& sequence) {
  const Workspace& workspace = model.workspace;
  embed({model.weights.embedding(), &workspace.step()->token, workspace.hidden(), 1},
        model.stream.get());
  if (!enqueue_persistent_layers(model, sequence)) {
    for (int layer = 0; layer < model.spec.layers; ++layer) {
      const LayerStep step(model, sequence, layer);
      step.attention();
      step.feed_forward();
    }
  }
  StepInput& step = *workspace.step();
  enqueue_choice(model, sequence, 1, &step);
}

}  // namespace longview::decoder
