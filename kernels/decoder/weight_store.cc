#include "decoder/weight_store.h"

#include <utility>

#include "decoder/weight_loader.h"
#include "quant/api.h"

namespace longview::decoder {

using quant::BlockFormat;
using quant::WeightMatrix;

WeightStore::WeightStore(const ModelSpec& spec, WeightLayout layout, const ModelFiles& files,
                         const std::function<void(double)>& on_progress,
                         const std::function<bool()>& should_stop)
    : spec_(spec), layout_(std::move(layout)), memory_(layout_.size_bytes) {
  WeightLoader loader(files, on_progress, should_stop);
  loader.expect(layout_);
  loader.copy(layout_.embedding, memory_.data());
  if (!spec_.tied_head) loader.copy(layout_.head, memory_.data());
  loader.copy_vector(layout_.final_norm, memory_.data());
  for (const LayerLayout& layer : layout_.layers) {
    loader.copy_vector(layer.attention_norm, memory_.data());
    loader.copy_vector(layer.feed_forward_norm, memory_.data());
    if (spec_.qkv_bias) {
      for (const PlacedTensor& bias : layer.qkv_bias) loader.copy_vector(bias, memory_.data());
    }
    if (spec_.qk_norm) {
      loader.copy_vector(layer.query_norm, memory_.data());
      loader.copy_vector(layer.key_norm, memory_.data());
    }
    for (int part = 0; part < kLayerParts; ++part) {
      if (layout_.form == WeightForm::kAsStored) {
        loader.copy(layer.parts[part], memory_.data());
      } else {
        const LayerPart& place = layout_.shape.parts[part];
        loader.dequantize(layer.parts[part].tensor,
                          memory_.data() + layer.bf16_offset + place.matrix_offset, place.row_map);
      }
    }
  }
  loader.finish();
}

FusedMatrices WeightStore::expand(int layer, std::byte* scratch, cudaStream_t stream) const {
  for (int part = 0; part < kLayerParts; ++part) {
    const LayerPart& place = layout_.shape.parts[part];
    quant::DequantizeParams params{};
    params.source = stored(layer, static_cast<LayerPartIndex>(part));
    params.destination = scratch + place.matrix_offset;
    params.destination_stride = place.columns;
    params.row_map = place.row_map;
    quant::dequantize(params, stream);
  }
  return fused_in(scratch);
}

WeightMatrix WeightStore::stored(int layer, LayerPartIndex part) const {
  return matrix(layout_.layers[layer].parts[part]);
}

LayerNorms WeightStore::norms(int layer) const {
  const LayerLayout& placed = layout_.layers[layer];
  LayerNorms norms{};
  norms.attention = vector(placed.attention_norm);
  norms.feed_forward = vector(placed.feed_forward_norm);
  if (spec_.qkv_bias) norms.qkv_bias = vector(placed.qkv_bias[0]);
  if (spec_.qk_norm) {
    norms.query_norm = vector(placed.query_norm);
    norms.key_norm = vector(placed.key_norm);
  }
  return norms;
}

FusedMatrices WeightStore::fused_in(std::byte* layer) const {
  const LayerShape& shape = layout_.shape;
  const int hidden = spec_.hidden_size;
  return {
      {layer + shape.qkv_offset, BlockFormat::kBf16, spec_.qkv_size(), hidden},
      {layer + shape.output_offset, BlockFormat::kBf16, hidden, spec_.query_size()},
      {layer + shape.gate_up_offset, BlockFormat::kBf16, 2 * spec_.feed_forward_size, hidden},
      {layer + shape.down_offset, BlockFormat::kBf16, hidden, spec_.feed_forward_size},
  };
}

WeightMatrix WeightStore::matrix(const PlacedTensor& placed) const {
  const TensorEntry& tensor = placed.tensor;
  return {memory_.data() + placed.offset, tensor.format, tensor.rows, tensor.columns};
}

const float* WeightStore::vector(const PlacedTensor& placed) const {
  return reinterpret_cast<const float*>(memory_.data() + placed.offset);
}

}  // namespace longview::decoder
