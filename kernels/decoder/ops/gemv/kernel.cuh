// The matrix-vector kernel: a warp takes an item (a row, or two rows that belong together) at a
// time.
#pragma once

#include <algorithm>
#include <cstdint>

#include "common/programmatic_launch.cuh"
#include "decoder/ops/gemv/input.cuh"
#include "decoder/ops/gemv/lane_dot.cuh"
#include "decoder/ops/gemv/row_ring.cuh"

namespace longview::decoder {

struct GemvShape {
  int columns;
  int items;
  int64_t row_bytes;
};

/// What the kernel was compiled for; the host asks the same of the device.
#ifdef __CUDA_ARCH__
constexpr bool kHasLargeRing =
    has_large_shared_memory(__CUDA_ARCH__ / 100, __CUDA_ARCH__ % 100 / 10);
#else
constexpr bool kHasLargeRing = false;
#endif

/// The sums of one item's rows: the lane's share, before the lanes are added.
template <quant::BlockFormat kFormat, class Ring>
__device__ void sum_rows(Ring& ring, const uint8_t* const (&rows)[Ring::kRows],
                         const uint16_t* input, int columns, float (&sums)[Ring::kRows]) {
  using Shape = StageShape<kFormat>;
  const int lane = threadIdx.x % kWarpThreads;
  int64_t offset = 0;
  for (int first = 0; first < columns; first += Shape::kElements) {
    ring.acquire();
    const int column = first + lane * Shape::kLaneElements;
    if (column < columns) {
      float values[Shape::kLaneElements];
      load_input(input + column, values);
#pragma unroll
      for (int r = 0; r < Ring::kRows; ++r) {
        const int misalignment =
            Shape::kIsPlain ? 0 : reinterpret_cast<uintptr_t>(rows[r] + offset) & 15;
        float weights[Shape::kLaneElements];
        load_weights<kFormat>(ring.row(r, misalignment), lane, weights);
        sums[r] += dot(weights, values);
      }
    }
    ring.release();
    offset += Shape::kBytes;
  }
}

template <quant::BlockFormat kFormat, class Output>
__global__ __launch_bounds__(kGemvThreads, kGemvBlocksPerMultiprocessor) void gemv_kernel(
    const __grid_constant__ GemvInput input, const __grid_constant__ Output output,
    const __grid_constant__ GemvShape shape) {
  using Ring = RowRing<kFormat, Output, kHasLargeRing>;
  extern __shared__ uint4 shared[];
  constexpr int kRingBytes = Ring::kStages * Ring::kSlotBytes;
  auto* rings = reinterpret_cast<uint8_t*>(shared);
  uint4* staged = shared + kGemvWarps * kRingBytes / sizeof(uint4);

  let_next_kernel_start();
  const int warp = threadIdx.x / kWarpThreads;
  // Neighbouring items go to different multiprocessors, so that each has as many.
  const int first = warp * gridDim.x + blockIdx.x;
  const int step = kGemvWarps * gridDim.x;
  Ring ring(rings + warp * kRingBytes, output, shape.row_bytes, first, step, shape.items);
  prefetch_norm(input, shape.columns);
  wait_for_previous_kernel();
  stage_input(input, shape.columns, staged);

  const bool is_first_lane = threadIdx.x % kWarpThreads == 0;
  for (int item = first; item < shape.items; item += step) {
    typename Output::Prepared prepared{};
    if (is_first_lane) prepared = output.prepare(item);
    const uint8_t* rows[Output::kRows];
    float sums[Output::kRows] = {};
#pragma unroll
    for (int r = 0; r < Output::kRows; ++r) rows[r] = output.row(item, r);
    sum_rows<kFormat>(ring, rows, reinterpret_cast<const uint16_t*>(staged), shape.columns, sums);
#pragma unroll
    for (float& sum : sums) sum = warp_sum(sum);
    if (is_first_lane) output.finish(item, sums, prepared);
  }
}

/// @throws CudaError when the launch fails.
template <quant::BlockFormat kFormat, class Output>
void launch_gemv(const GemvInput& input, const Output& output, const GemvShape& shape,
                 cudaStream_t stream) {
  const auto entry = gemv_kernel<kFormat, Output>;
  const bool is_large =
      has_large_shared_memory(device_attribute(cudaDevAttrComputeCapabilityMajor),
                              device_attribute(cudaDevAttrComputeCapabilityMinor));
  const int bytes = shared_bytes<kFormat>(Output::kRows, is_large, shape.columns);
  LONGVIEW_CUDA(cudaFuncSetAttribute(entry, cudaFuncAttributeMaxDynamicSharedMemorySize, bytes));
  const int blocks = std::min(shape.items, device_attribute(cudaDevAttrMultiProcessorCount));
  launch_programmatic(entry, blocks, kGemvThreads, bytes, stream, input, output, shape);
}

}  // namespace longview::decoder
