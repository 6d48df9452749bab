#include "decoder/layer_parts.h"

#include "decoder/region.h"
#include "gemm/params.h"

namespace longview::decoder {

namespace {

constexpr size_t kBf16Bytes = 2;

}  // namespace

LayerShape layer_shape(const ModelSpec& spec) {
  const int hidden = spec.hidden_size;
  const int feed_forward = spec.feed_forward_size;
  RegionCounter regions;
  const auto reserve = [&](int rows, int columns) {
    return regions.reserve(kBf16Bytes * rows * columns);
  };
  LayerShape shape{};
  shape.qkv_offset = reserve(spec.qkv_size(), hidden);
  shape.output_offset = reserve(hidden, spec.query_size());
  shape.gate_up_offset = reserve(2 * feed_forward, hidden);
  shape.down_offset = reserve(hidden, feed_forward);
  shape.size_bytes = regions.size_bytes();

  const quant::RowMap keys{1, 1, spec.query_size()};
  const quant::RowMap values{1, 1, spec.query_size() + spec.kv_size()};
  shape.parts[kQuery] = {"attn_q", spec.query_size(), hidden, shape.qkv_offset, {}};
  shape.parts[kKey] = {"attn_k", spec.kv_size(), hidden, shape.qkv_offset, keys};
  shape.parts[kValue] = {"attn_v", spec.kv_size(), hidden, shape.qkv_offset, values};
  shape.parts[kOutput] = {"attn_output", hidden, spec.query_size(), shape.output_offset, {}};
  shape.parts[kGate] = {"ffn_gate", feed_forward, hidden, shape.gate_up_offset, gate_rows()};
  shape.parts[kUp] = {"ffn_up", feed_forward, hidden, shape.gate_up_offset, up_rows()};
  shape.parts[kDown] = {"ffn_down", hidden, feed_forward, shape.down_offset, {}};
  return shape;
}

quant::RowMap gate_rows() { return {gemm::kSwigluRowBlock, 2 * gemm::kSwigluRowBlock, 0}; }

quant::RowMap up_rows() {
  return {gemm::kSwigluRowBlock, 2 * gemm::kSwigluRowBlock, gemm::kSwigluRowBlock};
}

}  // namespace longview::decoder
