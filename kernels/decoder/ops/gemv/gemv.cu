#include <cstdint>

#include "decoder/ops/checks.h"
#include "decoder/ops/gemv/api.h"
#include "decoder/ops/gemv/kernel.cuh"
#include "decoder/ops/gemv/outputs.cuh"
#include "decoder/ops/gemv/tile_kernel.cuh"
#include "decoder/ops/rope/validate.h"
#include "quant/api.h"
#include "quant/dispatch.cuh"

namespace longview::decoder {

namespace {

using quant::BlockFormat;
using quant::WeightMatrix;

void check_input(const Checks& checks, const GemvInput& input, int columns) {
  checks.require(columns <= kMaxGemvColumns, std::to_string(columns) + " columns are more than " +
                                                 std::to_string(kMaxGemvColumns));
  checks.require_pointer(input.values, "input");
  if (input.norm_weight == nullptr) return;
  checks.require_pointer(input.norm_weight, "norm_weight");
  checks.require(input.norm_epsilon > 0.f, "norm_epsilon is not positive");
}

void check_optional(const Checks& checks, const void* pointer, const char* name) {
  if (pointer != nullptr) checks.require_pointer(pointer, name);
}

/// The last of `features` rows must lie within the matrix.
void check_rows(const Checks& checks, const quant::RowMap& map, int features,
                const WeightMatrix& weight, const char* name) {
  checks.require(
      map.block > 0 && map.step >= map.block && map.offset >= 0 && map(features - 1) < weight.rows,
      std::string(name) + " leaves the " + std::to_string(weight.rows) + " rows");
}

GemvShape shape_of(const WeightMatrix& weight, int items) {
  return {weight.columns, items, static_cast<int>(quant::row_bytes(weight.format, weight.columns))};
}

const uint8_t* bytes_of(const WeightMatrix& weight) {
  return static_cast<const uint8_t*>(weight.data);
}

}  // namespace

void gemv(const GemvParams& params, cudaStream_t stream) {
  const Checks checks("gemv");
  validate(params.weight, "gemv: weight");
  check_input(checks, params.input, params.weight.columns);
  check_optional(checks, params.bias, "bias");
  check_optional(checks, params.residual, "residual");
  checks.require_pointer(params.output, "output");
  const GemvShape shape = shape_of(params.weight, params.weight.rows);
  const PlainOutput output{bytes_of(params.weight),
                           shape.row_bytes,
                           params.bias,
                           static_cast<const __nv_bfloat16*>(params.residual),
                           params.output,
                           params.output_type};
  quant::with_format(params.weight.format, [&](auto format) {
    constexpr BlockFormat kFormat = decltype(format)::value;
    if constexpr (TileFormat<kFormat>::kIsSupported) {
      if (fits_tiles<kFormat>(shape)) {
        return launch_tile_gemv<kFormat>(params.input, output, shape, stream);
      }
    }
    launch_gemv<kFormat>(params.input, output, shape, stream);
  });
}

void swiglu_gemv(const SwigluGemvParams& params, cudaStream_t stream) {
  const Checks checks("SwiGLU gemv");
  validate(params.gate, "SwiGLU gemv: gate");
  validate(params.up, "SwiGLU gemv: up");
  checks.require(params.gate.format == params.up.format && params.gate.columns == params.up.columns,
                 "gate and up differ in format or columns");
  checks.require(params.features > 0, std::to_string(params.features) + " features");
  check_rows(checks, params.gate_rows, params.features, params.gate, "gate_rows");
  check_rows(checks, params.up_rows, params.features, params.up, "up_rows");
  check_input(checks, params.input, params.gate.columns);
  checks.require_pointer(params.output, "output");
  const GemvShape shape = shape_of(params.gate, params.features);
  const SwigluOutput output{{bytes_of(params.gate), bytes_of(params.up)},
                            {params.gate_rows, params.up_rows},
                            shape.row_bytes,
                            static_cast<__nv_bfloat16*>(params.output)};
  quant::with_format(params.gate.format, [&](auto format) {
    launch_gemv<decltype(format)::value>(params.input, output, shape, stream);
  });
}

void qkv_gemv(const QkvGemvParams& params, cudaStream_t stream) {
  const Checks checks("QKV gemv");
  const RopeKvParams& rope = params.rope;
  validate(params.weight, "QKV gemv: weight");
  checks.require(params.weight.format == BlockFormat::kBf16, "weight is not bf16");
  check_rotation(checks, rope);
  checks.require(rope.query_norm == nullptr && rope.key_norm == nullptr,
                 "norms of q and k need gemv and rope_kv");
  const int heads = rope.num_heads + 2 * rope.num_kv_heads;
  checks.require(params.weight.rows == heads * rope.head_dim,
                 std::to_string(params.weight.rows) + " rows for " + std::to_string(heads) +
                     " heads of " + std::to_string(rope.head_dim));
  check_input(checks, params.input, params.weight.columns);
  check_optional(checks, params.bias, "bias");
  const GemvShape shape = shape_of(params.weight, params.weight.rows / QkvOutput::kRows);
  const QkvOutput output{bytes_of(params.weight), shape.row_bytes, params.bias, rope};
  launch_gemv<BlockFormat::kBf16>(params.input, output, shape, stream);
}

}  // namespace longview::decoder
