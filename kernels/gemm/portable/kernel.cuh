// The product by mma.sync and cp.async, for compute capability 8.0 and newer; e4m3 from 8.9 on.
#pragma once

#include "common/cuda_error.h"
#include "common/sm80/mma.cuh"
#include "gemm/bf16_pair.cuh"
#include "gemm/product.h"
#include "gemm/swiglu.cuh"

namespace longview::gemm::portable {

/// What is multiplied. Tiles are rows of 128 bytes whatever the type.
struct Bf16 {
  static constexpr int kBytes = 2;
  static constexpr bool kIsScaled = false;
  static __device__ __forceinline__ void multiply_add(float* sums, const uint32_t* a, uint32_t b0,
                                                      uint32_t b1) {
    ::longview::sm80::multiply_add(sums, a, b0, b1);
  }
};

/// With a scale for each row of activations and of weights.
struct E4m3 {
  static constexpr int kBytes = 1;
  static constexpr bool kIsScaled = true;
  static __device__ __forceinline__ void multiply_add(float* sums, const uint32_t* a, uint32_t b0,
                                                      uint32_t b1) {
    ::longview::sm80::multiply_add_e4m3(sums, a, b0, b1);
  }
};

/// A block computes 128 x 128 by eight warps, each 64 x 32.
struct Config {
  static constexpr int kTileM = 128;
  static constexpr int kTileN = 128;
  static constexpr int kTileK = 64;  // words of two bytes
  static constexpr int kStages = 3;
  static constexpr int kWarpRows = 64;
  static constexpr int kWarpColumns = 32;
  static constexpr int kWarpsAlongN = kTileN / kWarpColumns;
  static constexpr int kThreads = 32 * (kTileM / kWarpRows) * kWarpsAlongN;
  static constexpr int kOperandBytes = kTileM * kTileK * 2;
  static constexpr int kSharedBytes = kStages * 2 * kOperandBytes;
  /// Row tiles whose blocks run together, so that they find the same weights in L2.
  static constexpr int kGroupRows = 8;
};
static_assert(Config::kTileM == Config::kTileN, "both operands have tiles of one size");

using OperandTile = ::longview::sm80::SwizzledTile<Config::kTileK>;

struct Place {
  int first_row;
  int first_column;
};

/// The tile of block `index`: groups of row tiles, within a group column by column.
__device__ __forceinline__ Place place_of(int index, int row_tiles, int column_tiles) {
  const int group_tiles = Config::kGroupRows * column_tiles;
  const int first = index / group_tiles * Config::kGroupRows;
  const int rows = min(Config::kGroupRows, row_tiles - first);
  const int within = index % group_tiles;
  return {(first + within % rows) * Config::kTileM, within / rows * Config::kTileN};
}

/// Starts the copies of 128 rows x 64 words of a row-major matrix; what it lacks becomes zero.
__device__ __forceinline__ void copy_operand(OperandTile tile, const uint16_t* matrix, int first_row,
                                             int rows, int first_column, int columns) {
  constexpr int kPieces = OperandTile::kPieces;
#pragma unroll
  for (int i = threadIdx.x; i < Config::kTileM * kPieces; i += Config::kThreads) {
    const int row = i / kPieces;
    const int piece = i % kPieces;
    const int column = first_column + 8 * piece;
    const bool exists = first_row + row < rows && column < columns;
    const int64_t offset = static_cast<int64_t>(first_row + row) * columns + column;
    ::longview::sm80::copy_16_async(tile.piece(row, piece), matrix + (exists ? offset : 0), exists);
  }
}

/// Sums of one warp: 4 x 4 products of 16 rows x 8 columns.
struct WarpSums {
  static constexpr int kRowSteps = Config::kWarpRows / 16;
  static constexpr int kColumnSteps = Config::kWarpColumns / 8;
  float values[kRowSteps][kColumnSteps][4];
};

template <class Operand>
__device__ __forceinline__ void multiply_tile(OperandTile a, OperandTile b, int warp_row,
                                              int warp_column, WarpSums& sums) {
  const int lane = threadIdx.x % 32;
#pragma unroll
  for (int slice = 0; slice < Config::kTileK / 16; ++slice) {
    uint32_t rows[WarpSums::kRowSteps][4];
#pragma unroll
    for (int m = 0; m < WarpSums::kRowSteps; ++m) {
      // Matrices: rows 0-7 and 8-15 of the first 8 columns, then of the next.
      ::longview::sm80::load_matrices(
          rows[m], a.piece(warp_row + 16 * m + lane % 16, 2 * slice + lane / 16));
    }
#pragma unroll
    for (int n = 0; n < WarpSums::kColumnSteps; n += 2) {
      uint32_t columns[4];
      // Matrices: the first 8 and next 8 of k for columns 0-7, then for columns 8-15.
      ::longview::sm80::load_matrices(
          columns, b.piece(warp_column + 8 * n + lane % 8 + lane / 16 * 8,
                           2 * slice + lane / 8 % 2));
#pragma unroll
      for (int m = 0; m < WarpSums::kRowSteps; ++m) {
        Operand::multiply_add(sums.values[m][n], rows[m], columns[0], columns[1]);
        Operand::multiply_add(sums.values[m][n + 1], rows[m], columns[2], columns[3]);
      }
    }
  }
}

/// Two neighbouring sums of row `row`, times their scales. `column` counts weight rows.
template <class Operand>
__device__ __forceinline__ float2 scaled(const Product& product, int row, int column,
                                         const float* sums) {
  if constexpr (Operand::kIsScaled) {
    const float row_scale = product.activation_scales[row];
    return {sums[0] * (row_scale * product.weight_scales[column]),
            sums[1] * (row_scale * product.weight_scales[column + 1])};
  } else {
    return {sums[0], sums[1]};
  }
}

/// The two neighbouring outputs of one row that a thread holds in `values`.
template <Epilogue kEpilogue>
__device__ __forceinline__ uint32_t finish_pair(const Product& product, int row, int column,
                                                float2 values) {
  if constexpr (kEpilogue == Epilogue::kBias) {
    values.x += product.bias[column];
    values.y += product.bias[column + 1];
  }
  if constexpr (kEpilogue == Epilogue::kResidual) {
    const auto* residual = static_cast<const uint16_t*>(product.residual);
    const float2 added = from_bf16_pair(*reinterpret_cast<const uint32_t*>(
        residual + static_cast<int64_t>(row) * product.out_features + column));
    values.x += added.x;
    values.y += added.y;
  }
  return to_bf16_pair(values.x, values.y);
}

template <class Operand, Epilogue kEpilogue>
__device__ __forceinline__ void store_sums(const Product& product, const WarpSums& sums,
                                           int first_row, int first_column) {
  constexpr bool kIsSwiglu = kEpilogue == Epilogue::kSwiglu;
  constexpr int kColumnStep = kIsSwiglu ? 2 : 1;
  const int output_columns = product.out_features / kColumnStep;
  const int lane = threadIdx.x % 32;
  auto* output = static_cast<uint16_t*>(product.output);
#pragma unroll
  for (int m = 0; m < WarpSums::kRowSteps; ++m) {
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      const int row = first_row + 16 * m + lane / 4 + 8 * half;
      if (row >= product.tokens) continue;
#pragma unroll
      for (int n = 0; n < WarpSums::kColumnSteps; n += kColumnStep) {
        const int column = first_column / kColumnStep + 8 * n / kColumnStep + 2 * (lane % 4);
        if (column >= output_columns) continue;
        const int weight_row = first_column + 8 * n + 2 * (lane % 4);
        const float2 values =
            scaled<Operand>(product, row, weight_row, sums.values[m][n] + 2 * half);
        uint32_t pair;
        if constexpr (kIsSwiglu) {
          const float2 ups =
              scaled<Operand>(product, row, weight_row + 8, sums.values[m][n + 1] + 2 * half);
          pair = to_bf16_pair(swiglu(values.x, ups.x), swiglu(values.y, ups.y));
        } else {
          pair = finish_pair<kEpilogue>(product, row, column, values);
        }
        *reinterpret_cast<uint32_t*>(output + static_cast<int64_t>(row) * output_columns +
                                     column) = pair;
      }
    }
  }
}

template <class Operand, Epilogue kEpilogue>
__global__ void __launch_bounds__(Config::kThreads)
    gemm_kernel(const __grid_constant__ Product product, int row_tiles, int column_tiles) {
  extern __shared__ __align__(128) uint8_t shared_bytes[];
  const uint32_t shared = ::longview::sm80::shared_address(shared_bytes);
  const auto tile_at = [&](int stage, int operand) {
    return OperandTile{shared + (2 * stage + operand) * Config::kOperandBytes};
  };
  const Place place = place_of(blockIdx.x, row_tiles, column_tiles);
  const int words = product.in_features * Operand::kBytes / 2;
  const int steps = (words + Config::kTileK - 1) / Config::kTileK;
  const auto start_copies = [&](int step) {
    if (step < steps) {
      const int stage = step % Config::kStages;
      const int column = step * Config::kTileK;
      copy_operand(tile_at(stage, 0), static_cast<const uint16_t*>(product.activations),
                   place.first_row, product.tokens, column, words);
      copy_operand(tile_at(stage, 1), static_cast<const uint16_t*>(product.weights),
                   place.first_column, product.out_features, column, words);
    }
    ::longview::sm80::commit_copies();
  };

  const int warp = threadIdx.x / 32;
  const int warp_row = warp / Config::kWarpsAlongN * Config::kWarpRows;
  const int warp_column = warp % Config::kWarpsAlongN * Config::kWarpColumns;
  WarpSums sums{};
  for (int step = 0; step < Config::kStages - 1; ++step) start_copies(step);
  for (int step = 0; step < steps; ++step) {
    ::longview::sm80::wait_for_copies<Config::kStages - 2>();
    __syncthreads();
    // The stage of the step before this one has been read by all.
    start_copies(step + Config::kStages - 1);
    const int stage = step % Config::kStages;
    multiply_tile<Operand>(tile_at(stage, 0), tile_at(stage, 1), warp_row, warp_column, sums);
  }
  store_sums<Operand, kEpilogue>(product, sums, place.first_row + warp_row,
                                 place.first_column + warp_column);
}

/// @throws CudaError when the launch fails.
template <class Operand, Epilogue kEpilogue>
void launch(const Product& product, cudaStream_t stream) {
  const int row_tiles = (product.tokens + Config::kTileM - 1) / Config::kTileM;
  const int column_tiles = (product.out_features + Config::kTileN - 1) / Config::kTileN;
  const auto kernel = gemm_kernel<Operand, kEpilogue>;
  LONGVIEW_CUDA(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize,
                                     Config::kSharedBytes));
  kernel<<<row_tiles * column_tiles, Config::kThreads, Config::kSharedBytes, stream>>>(
      product, row_tiles, column_tiles);
  LONGVIEW_CUDA(cudaGetLastError());
}

/// @throws CudaError when the launch fails.
template <class Operand>
void launch(const Product& product, cudaStream_t stream) {
  switch (product.epilogue) {
    case Epilogue::kNone:
      return launch<Operand, Epilogue::kNone>(product, stream);
    case Epilogue::kBias:
      return launch<Operand, Epilogue::kBias>(product, stream);
    case Epilogue::kResidual:
      return launch<Operand, Epilogue::kResidual>(product, stream);
    case Epilogue::kSwiglu:
      return launch<Operand, Epilogue::kSwiglu>(product, stream);
  }
}

}  // namespace longview::gemm::portable
