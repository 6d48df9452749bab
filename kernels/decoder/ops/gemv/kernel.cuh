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
  int row_bytes;
};

/// What the kernel was compiled for; the host asks the same of the device.
#ifdef __CUDA_ARCH__
constexpr bool kHasLargeRing =
    has_large_shared_memory(__CUDA_ARCH__ / 100, __CUDA_ARCH__ % 100 / 10);
#else
constexpr bool kHasLargeRing = false;
#endif

/// The sums of one item's rows: the lane's share, before the lanes are added.
template <quant::BlockFormat kFormat, class Ring, class Output>
__device__ void sum_rows(Ring& ring, const Output& output, int item, const uint16_t* input,
                         int columns, float (&sums)[Ring::kRows]) {
  using Shape = typename Ring::Shape;
  const int lane = threadIdx.x % kWarpThreads;
  for (int first = 0, offset = 0; first < columns;
       first += Shape::kElements, offset += Shape::kBytes) {
    ring.acquire();
#pragma unroll
    for (int i = 0; i < Shape::kLaneRuns; ++i) {
      const int column = first + i * Shape::kLanesElements + lane * Shape::kRunElements;
      if (column >= columns) continue;
      float values[Shape::kRunElements];
      load_input(input + column, values);
#pragma unroll
      for (int r = 0; r < Ring::kRows; ++r) {
        int misalignment = 0;
        if constexpr (!Shape::kIsPlain) {
          misalignment = reinterpret_cast<uintptr_t>(output.row(item, r) + offset) & 15;
        }
        float weights[Shape::kRunElements];
        load_weights<kFormat>(ring.row(r, misalignment), i * kWarpThreads + lane, weights);
        sums[r] += dot(weights, values);
      }
    }
    ring.release();
  }
}

template <quant::BlockFormat kFormat, class Output>
__global__ __launch_bounds__(kGemvThreads, kGemvBlocksPerMultiprocessor) void gemv_kernel(
    const __grid_constant__ GemvInput input, const __grid_constant__ Output output,
    const __grid_constant__ GemvShape shape) {
  using Ring = RowRing<kFormat, Output, kHasLargeRing>;
  extern __shared__ uint4 shared[];
  auto* rings = reinterpret_cast<uint8_t*>(shared);
  uint4* staged = shared + kGemvWarps * Ring::kBytes / sizeof(uint4);

  let_next_kernel_start();
  const int warp = threadIdx.x / kWarpThreads;
  // Neighbouring items go to different multiprocessors, so that each has as many.
  const int first = warp * gridDim.x + blockIdx.x;
  const int step = kGemvWarps * gridDim.x;
  Ring ring(rings + warp * Ring::kBytes, output, shape.row_bytes, first, step, shape.items);
  prefetch_norm(input, shape.columns);
  const bool is_first_lane = threadIdx.x % kWarpThreads == 0;
  if (is_first_lane && first < shape.items) output.prefetch(first);
  wait_for_previous_kernel();
  stage_input(input, shape.columns, staged);

  for (int item = first; item < shape.items; item += step) {
    typename Output::Prepared prepared{};
    if (is_first_lane) prepared = output.prepare(item);
    float sums[Output::kRows] = {};
    sum_rows<kFormat>(ring, output, item, reinterpret_cast<const uint16_t*>(staged), shape.columns,
                      sums);
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
  const int bytes = shared_bytes<kFormat, Output::kRows>(is_large, shape.columns);
  LONGVIEW_CUDA(cudaFuncSetAttribute(entry, cudaFuncAttributeMaxDynamicSharedMemorySize, bytes));
  const int blocks = std::min(shape.items, device_attribute(cudaDevAttrMultiProcessorCount));
  launch_programmatic(entry, blocks, kGemvThreads, bytes, stream, input, output, shape);
}

}  // namespace longview::decoder
