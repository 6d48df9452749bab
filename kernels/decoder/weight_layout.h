// Where every weight lies in one allocation of device memory. Host code: a plan needs no device.
#pragma once

#include <array>
#include <cstddef>
#include <vector>

#include "decoder/layer_parts.h"
#include "decoder/model_spec.h"
#include "decoder/weight_file.h"

namespace longview::decoder {

/// How the matrices of the layers are kept. The embedding table and the head always stay as stored.
enum class WeightForm {
  kBf16,      // dequantised once, fused
  kAsStored,  // quantised; each layer is dequantised into scratch memory for each prefill chunk
};

/// A tensor of the file and its offset in bytes.
struct PlacedTensor {
  TensorEntry tensor;
  size_t offset;
};

struct LayerLayout {
  size_t bf16_offset;                                // kBf16: the start of a LayerShape
  std::array<PlacedTensor, kLayerParts> parts;       // offsets count for kAsStored
  PlacedTensor attention_norm;
  PlacedTensor feed_forward_norm;
  std::array<PlacedTensor, 3> qkv_bias;              // behind each other; with spec.qkv_bias
  PlacedTensor query_norm;                           // with spec.qk_norm
  PlacedTensor key_norm;
};

struct WeightLayout {
  WeightForm form;
  LayerShape shape;
  std::vector<LayerLayout> layers;
  PlacedTensor embedding;
  PlacedTensor head;  // the embedding where the head is tied
  PlacedTensor final_norm;
  size_t size_bytes;
};

/// @throws ModelError for a missing or ill-shaped tensor, and for norms or biases not in fp32.
WeightLayout lay_out_weights(const ModelSpec& spec, const TensorTable& tensors, WeightForm form);

}  // namespace longview::decoder
