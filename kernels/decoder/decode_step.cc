#include "decoder/decode_step.h"

#include "attention/decode/api.h"
#include "decoder/ops/api.h"
#include "decoder/ops/gemv/api.h"
#include "decoder/ops/rope/api.h"

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

  WeightMatrix matrix(WeightMatrix FusedMatrices::* fused, LayerPartIndex part) const {
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

}  // namespace

void enqueue_decode_step(const Model& model, const Sequence& sequence) {
  const Workspace& workspace = model.workspace;
  LONGVIEW_CUDA(cudaMemcpyAsync(workspace.step(), workspace.host_step(), sizeof(StepInput),
                                cudaMemcpyHostToDevice, model.stream.get()));
  embed({model.weights.embedding(), &workspace.step()->token, workspace.hidden(), 1},
        model.stream.get());
  for (int layer = 0; layer < model.spec.layers; ++layer) {
    const LayerStep step(model, sequence, layer);
    step.attention();
    step.feed_forward();
  }
  enqueue_choice(model, sequence, 1);
}

}  // namespace longview::decoder
