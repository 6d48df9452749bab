// The layers' matrices in e4m3, for prefill in fp8: copies beside the weights that decode reads.
#pragma once

#include <cstddef>

#include "common/device_buffer.h"
#include "common/stream.h"
#include "decoder/model_spec.h"
#include "decoder/weight_store.h"
#include "gemm/fp8/api.h"

namespace longview::decoder {

/// e4m3 [rows, columns] with a scale for each row.
struct Fp8Matrix {
  const void* data;
  const float* scales;
  int rows;
  int columns;
};

struct Fp8Matrices {
  Fp8Matrix qkv;
  Fp8Matrix output;
  Fp8Matrix gate_up;
  Fp8Matrix down;
};

class Fp8Layers {
 public:
  static size_t size_bytes(const ModelSpec& spec);

  /// Rounds all layers of `weights`, which have been loaded; those kept as stored are made bf16 in
  /// `layer_scratch` one after the other.
  /// @throws CudaError; std::runtime_error where the device does not multiply fp8.
  Fp8Layers(const ModelSpec& spec, const WeightStore& weights, std::byte* layer_scratch,
            gemm::GemmKernel kernel, const Stream& stream);

  Fp8Matrices layer(int index) const;

  /// What multiplies by them.
  const gemm::Fp8Gemm& gemm() const { return gemm_; }

 private:
  ModelSpec spec_;
  gemm::Fp8Gemm gemm_;
  DeviceBuffer<std::byte> memory_;
};

}  // namespace longview::decoder
