#include "decoder/model.h"

#include <cmath>

#include "decoder/ops/gemv/api.h"
#include "decoder/ops/sampling/api.h"

namespace longview::decoder {

RopeKvParams rotation(const Model& model, const Sequence& sequence, int layer, int tokens) {
  const ModelSpec& spec = model.spec;
  const LayerNorms norms = model.weights.norms(layer);
  RopeKvParams params{};
  params.qkv = model.workspace.qkv();
  params.query = model.workspace.query();
  params.key_pool = model.pool.key(layer);
  params.value_pool = model.pool.value(layer);
  params.block_table = sequence.block_table();
  params.first_position = &model.workspace.step()->position;
  params.cos = model.positions.cos();
  params.sin = model.positions.sin();
  params.query_norm = norms.query_norm;
  params.key_norm = norms.key_norm;
  params.norm_epsilon = spec.norm_epsilon;
  params.pairs = spec.rope_pairs;
  params.tokens = tokens;
  params.num_heads = spec.num_heads;
  params.num_kv_heads = spec.num_kv_heads;
  params.head_dim = spec.head_dim;
  return params;
}

float softmax_scale(const ModelSpec& spec) {
  return 1.f / std::sqrt(static_cast<float>(spec.head_dim));
}

void enqueue_choice(const Model& model, const Sequence& sequence, int tokens, StepInput* next) {
  const ModelSpec& spec = model.spec;
  const Workspace& workspace = model.workspace;
  const size_t last_row = size_t{2} * (tokens - 1) * spec.hidden_size;

  GemvParams head{};
  head.weight = model.weights.head();
  head.input = {workspace.hidden() + last_row, model.weights.final_norm(), spec.norm_epsilon};
  head.output = workspace.logits();
  head.output_type = GemvOutput::kFp32;
  gemv(head, model.stream.get());

  SampleParams choice{};
  choice.logits = workspace.logits();
  choice.candidates = sequence.candidates();
  choice.state = sequence.sampler();
  choice.result = workspace.host_sample();
  choice.workspace = workspace.sampling();
  if (next != nullptr) {
    choice.next_token = &next->token;
    choice.next_position = &next->position;
    choice.next_kv_len = &next->kv_len;
  }
  sample(choice, model.stream.get());
}

}  // namespace longview::decoder
