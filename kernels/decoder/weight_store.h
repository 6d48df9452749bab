// The weights of a model in device memory.
#pragma once

#include <cstddef>
#include <functional>
#include <vector>

#include "common/device_buffer.h"
#include "decoder/model_spec.h"
#include "decoder/weight_file.h"
#include "decoder/weight_layout.h"
#include "quant/weight_matrix.h"

namespace longview::decoder {

/// The matrices that prefill multiplies by: bf16, fused as LayerShape says.
struct FusedMatrices {
  quant::WeightMatrix qkv;
  quant::WeightMatrix output;
  quant::WeightMatrix gate_up;
  quant::WeightMatrix down;
};

struct LayerNorms {
  const float* attention;
  const float* feed_forward;
  const float* qkv_bias;    // or null
  const float* query_norm;  // or null
  const float* key_norm;    // or null
};

class WeightStore {
 public:
  /// Allocates and reads everything; `on_progress` gets fractions, `should_stop` is asked often.
  /// @throws ModelError where the file is too short or a tensor holds NaN or infinities, by name.
  /// @throws CancelledError when `should_stop` says so.
  WeightStore(const ModelSpec& spec, WeightLayout layout, const ModelFiles& files,
              const std::function<void(double)>& on_progress,
              const std::function<bool()>& should_stop);

  WeightForm form() const { return layout_.form; }

  /// kBf16 only.
  FusedMatrices fused(int layer) const { return fused_at(layout_.layers[layer].bf16_offset); }

  /// kAsStored only: dequantises a layer into `scratch` (`LayerShape::size_bytes` bytes) on
  /// `stream`; the result lies in `scratch`.
  FusedMatrices expand(int layer, std::byte* scratch, cudaStream_t stream) const;

  /// kAsStored only: a matrix as the file has it.
  quant::WeightMatrix stored(int layer, LayerPartIndex part) const;

  LayerNorms norms(int layer) const;
  quant::WeightMatrix embedding() const { return matrix(layout_.embedding); }
  quant::WeightMatrix head() const { return matrix(layout_.head); }
  const float* final_norm() const { return vector(layout_.final_norm); }

 private:
  FusedMatrices fused_at(size_t offset) const { return fused_in(memory_.data() + offset); }
  FusedMatrices fused_in(std::byte* layer) const;
  quant::WeightMatrix matrix(const PlacedTensor& placed) const;
  const float* vector(const PlacedTensor& placed) const;

  ModelSpec spec_;
  WeightLayout layout_;
  DeviceBuffer<std::byte> memory_;
};

}  // namespace longview::decoder
