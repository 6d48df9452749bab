#include "decoder/fp8_layers.h"

#include <array>

#include "decoder/region.h"

namespace longview::decoder {

namespace {

/// Where one matrix of a layer lies.
struct Place {
  size_t data_offset;
  size_t scales_offset;
  int rows;
  int columns;
};

struct LayerPlaces {
  std::array<Place, 4> matrices;  // in the order of Fp8Matrices
  size_t size_bytes;
};

LayerPlaces layer_places(const ModelSpec& spec) {
  RegionCounter regions;
  const auto place = [&](int rows, int columns) {
    const size_t data_offset = regions.reserve(size_t{1} * rows * columns);
    return Place{data_offset, regions.reserve(sizeof(float) * rows), rows, columns};
  };
  LayerPlaces places{};
  places.matrices = {place(spec.qkv_size(), spec.hidden_size),
                     place(spec.hidden_size, spec.query_size()),
                     place(2 * spec.feed_forward_size, spec.hidden_size),
                     place(spec.hidden_size, spec.feed_forward_size)};
  places.size_bytes = regions.size_bytes();
  return places;
}

void round(const gemm::Fp8Gemm& gemm, const quant::WeightMatrix& source, const Place& place,
           std::byte* layer, const Stream& stream) {
  gemm::QuantizeParams params{};
  params.input = source.data;
  params.output = layer + place.data_offset;
  params.scales = reinterpret_cast<float*>(layer + place.scales_offset);
  params.rows = source.rows;
  params.features = source.columns;
  gemm.quantize(params, stream.get());
}

}  // namespace

size_t Fp8Layers::size_bytes(const ModelSpec& spec) {
  return layer_places(spec).size_bytes * spec.layers;
}

Fp8Layers::Fp8Layers(const ModelSpec& spec, const WeightStore& weights, std::byte* layer_scratch,
                     gemm::GemmKernel kernel, const Stream& stream)
    : spec_(spec), gemm_(kernel), memory_(size_bytes(spec)) {
  const LayerPlaces places = layer_places(spec);
  for (int index = 0; index < spec.layers; ++index) {
    const FusedMatrices bf16 = weights.form() == WeightForm::kBf16
                                   ? weights.fused(index)
                                   : weights.expand(index, layer_scratch, stream.get());
    std::byte* const layer = memory_.data() + places.size_bytes * index;
    round(gemm_, bf16.qkv, places.matrices[0], layer, stream);
    round(gemm_, bf16.output, places.matrices[1], layer, stream);
    round(gemm_, bf16.gate_up, places.matrices[2], layer, stream);
    round(gemm_, bf16.down, places.matrices[3], layer, stream);
  }
}

Fp8Matrices Fp8Layers::layer(int index) const {
  const LayerPlaces places = layer_places(spec_);
  std::byte* const layer = memory_.data() + places.size_bytes * index;
  const auto matrix = [&](const Place& place) {
    return Fp8Matrix{layer + place.data_offset,
                     reinterpret_cast<const float*>(layer + place.scales_offset), place.rows,
                     place.columns};
  };
  return {matrix(places.matrices[0]), matrix(places.matrices[1]), matrix(places.matrices[2]),
          matrix(places.matrices[3])};
}

}  // namespace longview::decoder
