#include "decoder/weight_layout.h"

#include <string>

#include "decoder/errors.h"
#include "decoder/region.h"

namespace longview::decoder {

namespace {

/// Finds tensors and gives each its place.
class Layouter {
 public:
  Layouter(const ModelSpec& spec, const TensorTable& tensors, WeightForm form)
      : spec_(spec), tensors_(tensors), form_(form), shape_(layer_shape(spec)) {}

  WeightLayout run() {
    WeightLayout layout{form_, shape_, {}, {}, {}, {}, 0};
    layout.embedding = matrix("token_embd.weight", spec_.vocab_size, spec_.hidden_size);
    layout.head = spec_.tied_head
                      ? layout.embedding
                      : matrix("output.weight", spec_.vocab_size, spec_.hidden_size);
    layout.final_norm = vector("output_norm.weight", spec_.hidden_size);
    for (int layer = 0; layer < spec_.layers; ++layer) {
      layout.layers.push_back(layer_layout("blk." + std::to_string(layer) + "."));
    }
    layout.size_bytes = regions_.size_bytes();
    return layout;
  }

 private:
  LayerLayout layer_layout(const std::string& block) {
    LayerLayout layer{};
    layer.attention_norm = vector(block + "attn_norm.weight", spec_.hidden_size);
    layer.feed_forward_norm = vector(block + "ffn_norm.weight", spec_.hidden_size);
    if (spec_.qkv_bias) layer.qkv_bias = biases(block);
    if (spec_.qk_norm) {
      layer.query_norm = vector(block + "attn_q_norm.weight", spec_.head_dim);
      layer.key_norm = vector(block + "attn_k_norm.weight", spec_.head_dim);
    }
    if (form_ == WeightForm::kBf16) layer.bf16_offset = regions_.reserve(shape_.size_bytes);
    for (int part = 0; part < kLayerParts; ++part) {
      const LayerPart& place = shape_.parts[part];
      const std::string name = block + place.name + ".weight";
      layer.parts[part] = form_ == WeightForm::kAsStored
                              ? matrix(name, place.rows, place.columns)
                              : PlacedTensor{tensors_.require(name, place.rows, place.columns), 0};
    }
    return layer;
  }

  PlacedTensor matrix(const std::string& name, int rows, int columns) {
    const TensorEntry& tensor = tensors_.require(name, rows, columns);
    return {tensor, regions_.reserve(decoder::size_bytes(tensor))};
  }

  PlacedTensor vector(const std::string& name, int features) {
    return {stored_vector(name, features), regions_.reserve(sizeof(float) * features)};
  }

  std::array<PlacedTensor, 3> biases(const std::string& block) {
    const size_t start = regions_.reserve(sizeof(float) * spec_.qkv_size());
    const size_t key_start = start + sizeof(float) * spec_.query_size();
    const size_t value_start = key_start + sizeof(float) * spec_.kv_size();
    return {PlacedTensor{stored_vector(block + "attn_q.bias", spec_.query_size()), start},
            PlacedTensor{stored_vector(block + "attn_k.bias", spec_.kv_size()), key_start},
            PlacedTensor{stored_vector(block + "attn_v.bias", spec_.kv_size()), value_start}};
  }

  /// A norm or bias, which is fp32 in memory.
  const TensorEntry& stored_vector(const std::string& name, int features) {
    const TensorEntry& tensor = tensors_.require(name, 1, features);
    if (quant::block_layout(tensor.format).elements != 1) {
      throw ModelError("the tensor " + name + " is quantised, as norms and biases are not");
    }
    return tensor;
  }

  const ModelSpec& spec_;
  const TensorTable& tensors_;
  WeightForm form_;
  LayerShape shape_;
  RegionCounter regions_;
};

}  // namespace

WeightLayout lay_out_weights(const ModelSpec& spec, const TensorTable& tensors, WeightForm form) {
  return Layouter(spec, tensors, form).run();
}

}  // namespace longview::decoder
