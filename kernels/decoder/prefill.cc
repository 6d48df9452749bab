#include "decoder/prefill.h"

#include "decoder/errors.h"
#include "decoder/layer_products.h"
#include "decoder/ops/api.h"
#include "decoder/ops/rope/api.h"

namespace longview::decoder {

namespace {

using gemm::Epilogue;

/// The parts of one layer of one chunk, each reading the residual stream and adding to it.
template <class Products>
class LayerChunk {
 public:
  LayerChunk(const Model& model, const Sequence& sequence, int layer, int tokens,
             const Products& products)
      : model_(model),
        sequence_(sequence),
        layer_(layer),
        tokens_(tokens),
        products_(products),
        norms_(model.weights.norms(layer)) {}

  /// `attend` gets the call that reads every key.
  template <class Attend>
  void attention(const Attend& attend, SpanClock& clock) const {
    const Workspace& workspace = model_.workspace;
    products_.of_hidden(Linear::kQkv, norms_.attention, workspace.qkv(),
                        norms_.qkv_bias == nullptr ? Epilogue::kNone : Epilogue::kBias);
    rope_kv(rotation(model_, sequence_, layer_, tokens_), stream());
    clock.begin(layer_, model_.stream);
    attend(attention_call());
    clock.end(layer_, model_.stream);
    products_.of(Linear::kOutput, workspace.normed(), workspace.hidden(), Epilogue::kResidual);
  }

  void feed_forward() const {
    const Workspace& workspace = model_.workspace;
    products_.of_hidden(Linear::kGateUp, norms_.feed_forward, workspace.activation(),
                        Epilogue::kSwiglu);
    products_.of(Linear::kDown, workspace.activation(), workspace.hidden(), Epilogue::kResidual);
  }

 private:
  attention::DensePrefillParams attention_call() const {
    attention::DensePrefillParams params{};
    params.query = model_.workspace.query();
    params.key = model_.pool.key(layer_);
    params.value = model_.pool.value(layer_);
    params.output = model_.workspace.normed();
    params.q_len = tokens_;
    params.kv_len = sequence_.length_tokens + tokens_;
    params.num_heads = model_.spec.num_heads;
    params.num_kv_heads = model_.spec.num_kv_heads;
    params.head_dim = model_.spec.head_dim;
    params.softmax_scale = softmax_scale(model_.spec);
    params.block_table = sequence_.block_table();
    params.pool_blocks = model_.pool.blocks();
    return params;
  }

  cudaStream_t stream() const { return model_.stream.get(); }

  const Model& model_;
  const Sequence& sequence_;
  int layer_;
  int tokens_;
  const Products& products_;
  LayerNorms norms_;
};

attention::PrefillKernel attention_kernel(PrefillKernels kernels) {
  return kernels == PrefillKernels::kPortable ? attention::PrefillKernel::kPortable
                                              : attention::PrefillKernel::kFastest;
}

/// Where the selection of `layer` lies, for a chunk of `tokens`.
SelectionPlace selection_place(const Model& model, const Sequence& sequence, int layer, int tokens) {
  const Workspace& workspace = model.workspace;
  const size_t lists = size_t{1} * model.spec.num_heads * attention::selection_tiles(tokens);
  return {layer, model.pooled_keys.layer(layer), sequence.pooled_tokens, workspace.selection(),
          workspace.block_lists(), workspace.block_counts() + layer * lists};
}

}  // namespace

Prefill::Prefill(const ModelSpec& spec, PrefillKernels kernels, int sparse_chunk_tokens)
    : gemm_(gemm_kernel(kernels)), dense_(attention_kernel(kernels)) {
  if (sparse_chunk_tokens > 0) {
    sparse_.emplace(spec, sparse_chunk_tokens, attention_kernel(kernels));
  }
}

void Prefill::enqueue(const Model& model, const Sequence& sequence, int tokens,
                      const std::optional<SparseRequest>& sparse, const LayerPacer& pacer,
                      const PrefillControl& control) {
  const Workspace& workspace = model.workspace;
  const cudaStream_t stream = model.stream.get();
  LONGVIEW_CUDA(cudaMemcpyAsync(workspace.step(), workspace.host_step(), sizeof(StepInput),
                                cudaMemcpyHostToDevice, stream));
  LONGVIEW_CUDA(cudaMemcpyAsync(workspace.token_ids(), workspace.host_token_ids(),
                                sizeof(int32_t) * tokens, cudaMemcpyHostToDevice, stream));
  embed({model.weights.embedding(), workspace.token_ids(), workspace.hidden(), tokens}, stream);
  if (sparse) sparse_->prepare(*sparse, stream);
  for (int layer = 0; layer < model.spec.layers; ++layer) {
    pacer.before(layer);
    if (control.should_stop && control.should_stop()) throw CancelledError();
    const auto attend = [&](const attention::DensePrefillParams& call) {
      if (!sparse) return dense_.run(call, stream);
      sparse_->run(call, *sparse, selection_place(model, sequence, layer, tokens), model.stream);
    };
    const auto run = [&](const auto& products) {
      const LayerChunk chunk(model, sequence, layer, tokens, products);
      chunk.attention(attend, clock_);
      chunk.feed_forward();
    };
    if (model.fp8 != nullptr) {
      run(Fp8Products(model, layer, tokens));
    } else {
      run(Bf16Products(model, layer, tokens, gemm_));
    }
    pacer.after(layer, model.stream);
    if (control.on_layer) control.on_layer(layer + 1);
  }
}

}  // namespace longview::decoder
