#include <cstdint>
#include <stdexcept>
#include <string>

#include "common/cuda_error.h"
#include "quant/api.h"
#include "quant/dispatch.cuh"

namespace longview::quant {

namespace {

constexpr int kThreads = 256;
constexpr int kBf16Bytes = 2;

/// A thread decodes one run of 16 elements.
template <BlockFormat kFormat>
__global__ void dequantize_kernel(const __grid_constant__ DequantizeParams params,
                                  int64_t source_row_bytes, int row_runs) {
  const int64_t index = int64_t{blockIdx.x} * kThreads + threadIdx.x;
  const int row = static_cast<int>(index / row_runs);
  const int run = static_cast<int>(index % row_runs);
  if (row >= params.source.rows) return;
  const auto* blocks = static_cast<const uint8_t*>(params.source.data) + row * source_row_bytes;
  float values[kRunElements];
  decode_run(Format<kFormat>{}, blocks, run, values);
  const int64_t element =
      params.row_map(row) * params.destination_stride + int64_t{run} * kRunElements;
  store_bf16(values, static_cast<uint8_t*>(params.destination) + element * kBf16Bytes);
}

void require(bool holds, const std::string& message) {
  if (!holds) throw std::invalid_argument("dequantize: " + message);
}

void validate(const DequantizeParams& params) {
  validate(params.source, "dequantize: source");
  require(params.destination != nullptr, "destination is null");
  require(reinterpret_cast<uintptr_t>(params.destination) % 16 == 0,
          "destination is not aligned to 16 bytes");
  require(params.destination_stride >= params.source.columns && params.destination_stride % 8 == 0,
          "destination_stride " + std::to_string(params.destination_stride));
  const RowMap& map = params.row_map;
  require(map.block > 0 && map.step >= map.block && map.offset >= 0,
          "row_map {" + std::to_string(map.block) + ", " + std::to_string(map.step) + ", " +
              std::to_string(map.offset) + "}");
}

}  // namespace

void dequantize(const DequantizeParams& params, cudaStream_t stream) {
  validate(params);
  const WeightMatrix& source = params.source;
  const int row_runs = source.columns / kRunElements;
  const int64_t blocks = (int64_t{source.rows} * row_runs + kThreads - 1) / kThreads;
  with_format(source.format, [&](auto format) {
    dequantize_kernel<decltype(format)::value>
        <<<static_cast<unsigned>(blocks), kThreads, 0, stream>>>(
            params, row_bytes(source.format, source.columns), row_runs);
  });
  LONGVIEW_CUDA(cudaGetLastError());
}

}  // namespace longview::quant
