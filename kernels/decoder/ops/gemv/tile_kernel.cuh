// The matrix-vector kernel for quantised matrices whose rows come in sixteens.
#pragma once

#include "common/sm80/async_copy.cuh"
#include "decoder/ops/gemv/kernel.cuh"
#include "decoder/ops/gemv/outputs.cuh"
#include "decoder/ops/gemv/tile_dot.cuh"

namespace longview::decoder {

constexpr int kTileStages = 3;
constexpr int kTileGroup = 16;  // elements whose input is summed for itself

template <quant::BlockFormat kFormat>
constexpr int tile_shared_bytes(int columns) {
  const int ring = kGemvWarps * kTileStages * kTileRows * TileFormat<kFormat>::kStride;
  return ring + columns * 2 + columns / kTileGroup * 4;
}

/// A warp's tiles `first`, `first + step`, ... of `tiles`, block by block, through a ring in shared
/// memory.
template <quant::BlockFormat kFormat>
class TileRing {
 public:
  using Tile = TileFormat<kFormat>;
  static constexpr int kBlockElements = quant::block_layout(kFormat).elements;
  static constexpr int kBlockBytes = quant::block_layout(kFormat).bytes;
  static constexpr int kSlotBytes = kTileRows * Tile::kStride;

  __device__ TileRing(uint8_t* slots, const uint8_t* weight, int row_bytes, int first, int step,
                      int tiles)
      : slots_(slots),
        weight_(weight),
        row_bytes_(row_bytes),
        tile_(first),
        step_(step),
        tiles_(tiles) {
#pragma unroll 1
    for (int i = 0; i < kTileStages; ++i) fetch();
  }

  __device__ void acquire() const {
    sm80::wait_for_copies<kTileStages - 1>();
    __syncwarp();
  }

  /// The oldest stage's block of a row, which begins at `source` in device memory.
  __device__ const uint8_t* block(int row, const uint8_t* source) const {
    return slots_ + slot_ + row * Tile::kStride + (reinterpret_cast<uintptr_t>(source) & 15);
  }

  __device__ void release() {
    __syncwarp();
    fetch();
  }

 private:
  __device__ void fetch() {
    constexpr int kCopies = kTileRows * Tile::kPieces;
    if (tile_ < tiles_) {
      const uint8_t* blocks = weight_ + int64_t{tile_} * kTileRows * row_bytes_ + offset_;
      const uint32_t slot = sm80::shared_address(slots_ + slot_);
#pragma unroll
      for (int first = 0; first < kCopies; first += kWarpThreads) {
        const int i = first + static_cast<int>(threadIdx.x) % kWarpThreads;
        const int row = i / Tile::kPieces;
        const uint8_t* from = blocks + row * row_bytes_;
        const int piece = i % Tile::kPieces * 16;
        const int misalignment = static_cast<int>(reinterpret_cast<uintptr_t>(from) & 15);
        if (i < kCopies && piece < misalignment + kBlockBytes) {
          sm80::copy_16_async(slot + row * Tile::kStride + piece, from - misalignment + piece,
                              true);
        }
      }
      offset_ += kBlockBytes;
      if (offset_ == row_bytes_) {
        offset_ = 0;
        tile_ += step_;
      }
    }
    sm80::commit_copies();
    slot_ = slot_ + kSlotBytes == kTileStages * kSlotBytes ? 0 : slot_ + kSlotBytes;
  }

  uint8_t* slots_;
  const uint8_t* weight_;
  const int row_bytes_;
  int tile_;
  const int step_;
  const int tiles_;
  int offset_ = 0;  // of the block within the row
  int slot_ = 0;
};

/// Sums of the staged input over each group.
__device__ inline void sum_groups(const uint16_t* staged, int columns, float* sums) {
  for (int i = threadIdx.x; i < columns / kTileGroup; i += kGemvThreads) {
    float values[kTileGroup];
    load_input(staged + i * kTileGroup, values);
    float sum = 0.f;
#pragma unroll
    for (const float value : values) sum += value;
    sums[i] = sum;
  }
  __syncthreads();
}

template <quant::BlockFormat kFormat>
__global__ __launch_bounds__(kGemvThreads,
                             1) void tile_gemv_kernel(const __grid_constant__ GemvInput input,
                                                      const __grid_constant__ PlainOutput output,
                                                      const __grid_constant__ GemvShape shape) {
  using Ring = TileRing<kFormat>;
  extern __shared__ uint4 shared[];
  auto* rings = reinterpret_cast<uint8_t*>(shared);
  auto* staged = reinterpret_cast<uint4*>(rings + kGemvWarps * kTileStages * Ring::kSlotBytes);
  auto* group_sums = reinterpret_cast<float*>(staged + shape.columns / kInputVector);

  let_next_kernel_start();
  const int warp = threadIdx.x / kWarpThreads;
  const int lane = threadIdx.x % kWarpThreads;
  const int first = warp * gridDim.x + blockIdx.x;
  const int step = kGemvWarps * gridDim.x;
  const int tiles = shape.items / kTileRows;
  Ring ring(rings + warp * kTileStages * Ring::kSlotBytes, output.weight, shape.row_bytes, first,
            step, tiles);
  prefetch_norm(input, shape.columns);
  wait_for_previous_kernel();
  stage_input(input, shape.columns, staged);
  const auto* values = reinterpret_cast<const uint16_t*>(staged);
  sum_groups(values, shape.columns, group_sums);

  for (int tile = first; tile < tiles; tile += step) {
    float sums[2] = {0.f, 0.f};
    const int row = tile * kTileRows + lane / 4;
    const uint8_t* source = output.row(row, 0);
    for (int column = 0; column < shape.columns; column += Ring::kBlockElements) {
      ring.acquire();
      const uint8_t* blocks[2] = {ring.block(lane / 4, source),
                                  ring.block(lane / 4 + 8, source + 8 * int64_t{shape.row_bytes})};
      // The same for all rows: a whole row has a multiple of 4 bytes.
      if (reinterpret_cast<uintptr_t>(source) % 4 == 0) {
        TileFormat<kFormat>::template add<true>(blocks, values + column,
                                                group_sums + column / kTileGroup, sums);
      } else {
        TileFormat<kFormat>::template add<false>(blocks, values + column,
                                                 group_sums + column / kTileGroup, sums);
      }
      ring.release();
      source += Ring::kBlockBytes;
    }
#pragma unroll
    for (int i = 0; i < 2; ++i) {
      const float sum = warp_sum<4>(sums[i]);
      if (lane % 4 == 0) output.finish(row + 8 * i, {sum}, output.prepare(row + 8 * i));
    }
  }
}

/// Whether tile_gemv_kernel serves this product on the current device.
template <quant::BlockFormat kFormat>
bool fits_tiles(const GemvShape& shape) {
  if constexpr (!TileFormat<kFormat>::kIsSupported) {
    return false;
  } else {
    constexpr int kStaticBytes = 1024;
    return shape.items % kTileRows == 0 && shape.row_bytes % 4 == 0 &&
           device_attribute(cudaDevAttrMaxSharedMemoryPerBlockOptin) >=
               tile_shared_bytes<kFormat>(shape.columns) + kStaticBytes;
  }
}

/// @throws CudaError when the launch fails.
template <quant::BlockFormat kFormat>
void launch_tile_gemv(const GemvInput& input, const PlainOutput& output, const GemvShape& shape,
                      cudaStream_t stream) {
  const auto entry = tile_gemv_kernel<kFormat>;
  const int bytes = tile_shared_bytes<kFormat>(shape.columns);
  LONGVIEW_CUDA(cudaFuncSetAttribute(entry, cudaFuncAttributeMaxDynamicSharedMemorySize, bytes));
  const int blocks =
      std::min(shape.items / kTileRows, device_attribute(cudaDevAttrMultiProcessorCount));
  launch_programmatic(entry, blocks, kGemvThreads, bytes, stream, input, output, shape);
}

}  // namespace longview::decoder
