// The matrices of one layer: what a GGUF file calls them, and where they lie in bf16.
#pragma once

#include <array>
#include <cstddef>

#include "decoder/model_spec.h"
#include "quant/row_map.h"

namespace longview::decoder {

/// A matrix of a layer as the file stores it, and its place among the fused bf16 matrices that
/// prefill multiplies by.
struct LayerPart {
  const char* name;      // between "blk.<layer>." and ".weight"
  int rows;
  int columns;
  size_t matrix_offset;  // bytes from the start of the layer to the fused matrix
  quant::RowMap row_map; // row of the fused matrix for each row of this one
};

enum LayerPartIndex { kQuery, kKey, kValue, kOutput, kGate, kUp, kDown, kLayerParts };

/// One layer in bf16: Q, K and V behind each other; gate and up interleaved as the SwiGLU epilogue
/// of gemm/ wants them. Offsets are in bytes, each a multiple of kRegionAlignment.
struct LayerShape {
  std::array<LayerPart, kLayerParts> parts;
  size_t qkv_offset;      // [qkv_size, hidden_size]
  size_t output_offset;   // [hidden_size, query_size]
  size_t gate_up_offset;  // [2 * feed_forward_size, hidden_size]
  size_t down_offset;     // [hidden_size, feed_forward_size]
  size_t size_bytes;
};

LayerShape layer_shape(const ModelSpec& spec);

/// Rows of the interleaved matrix that hold the gates and the ups.
quant::RowMap gate_rows();
quant::RowMap up_rows();

}  // namespace longview::decoder
