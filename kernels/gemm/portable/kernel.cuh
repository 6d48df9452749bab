// The product by mma.sync and cp.async, for compute capability 8.0 and newer.
#pragma once

#include "common/sm80/mma.cuh"
#include "gemm/bf16_pair.cuh"
#include "gemm/params.h"
#include "gemm/swiglu.cuh"

namespace longview::gemm::portable {

/// A block computes 128 x 128 by eight warps, each 64 x 32.
struct Config {
  static constexpr int kTileM = 128;
  static constexpr int kTileN = 128;
  static constexpr int kTileK = 64;
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

/// Starts the copies of 128 rows x 64 columns of a row-major matrix; rows that it lacks become zero.
__device__ __forceinline__ void copy_operand(OperandTile tile, const uint16_t* matrix, int first_row,
                                             int rows, int first_column, int columns) {
  constexpr int kPieces = OperandTile::kPieces;
#pragma unroll
  for (int i = threadIdx.x; i < Config::kTileM * kPieces; i += Config::kThreads) {
    const int row = i / kPieces;
    const int piece = i % kPieces;
    const bool exists = first_row + row < rows;
    const int64_t offset =
        static_cast<int64_t>(exists ? first_row + row : 0) * columns + first_column + 8 * piece;
    ::longview::sm80::copy_16_async(tile.piece(row, piece), matrix + offset, exists);
  }
}

/// Sums of one warp: 4 x 4 products of 16 rows x 8 columns.
struct WarpSums {
  static constexpr int kRowSteps = Config::kWarpRows / 16;
  static constexpr int kColumnSteps = Config::kWarpColumns / 8;
  float values[kRowSteps][kColumnSteps][4];
};

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
        ::longview::sm80::multiply_add(sums.values[m][n], rows[m], columns[0], columns[1]);
        ::longview::sm80::multiply_add(sums.values[m][n + 1], rows[m], columns[2], columns[3]);
      }
    }
  }
}

/// The two neighbouring outputs of one row that a thread holds in `sums`.
template <Epilogue kEpilogue>
__device__ __forceinline__ uint32_t finish_pair(const GemmParams& params, int row, int column,
                                                float low, float high) {
  if constexpr (kEpilogue == Epilogue::kBias) {
    low += params.bias[column];
    high += params.bias[column + 1];
  }
  if constexpr (kEpilogue == Epilogue::kResidual) {
    const auto* residual = static_cast<const uint16_t*>(params.residual);
    const float2 added = from_bf16_pair(*reinterpret_cast<const uint32_t*>(
        residual + static_cast<int64_t>(row) * params.out_features + column));
    low += added.x;
    high += added.y;
  }
  return to_bf16_pair(low, high);
}

template <Epilogue kEpilogue>
__device__ __forceinline__ void store_sums(const GemmParams& params, const WarpSums& sums,
                                           int first_row, int first_column) {
  constexpr bool kIsSwiglu = kEpilogue == Epilogue::kSwiglu;
  constexpr int kColumnStep = kIsSwiglu ? 2 : 1;
  const int output_columns = params.out_features / kColumnStep;
  const int lane = threadIdx.x % 32;
  auto* output = static_cast<uint16_t*>(params.output);
#pragma unroll
  for (int m = 0; m < WarpSums::kRowSteps; ++m) {
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      const int row = first_row + 16 * m + lane / 4 + 8 * half;
      if (row >= params.tokens) continue;
#pragma unroll
      for (int n = 0; n < WarpSums::kColumnSteps; n += kColumnStep) {
        const int column = first_column / kColumnStep + 8 * n / kColumnStep + 2 * (lane % 4);
        if (column >= output_columns) continue;
        const float* values = sums.values[m][n] + 2 * half;
        uint32_t pair;
        if constexpr (kIsSwiglu) {
          const float* ups = sums.values[m][n + 1] + 2 * half;
          pair = to_bf16_pair(swiglu(values[0], ups[0]), swiglu(values[1], ups[1]));
        } else {
          pair = finish_pair<kEpilogue>(params, row, column, values[0], values[1]);
        }
        *reinterpret_cast<uint32_t*>(output + static_cast<int64_t>(row) * output_columns +
                                     column) = pair;
      }
    }
  }
}

template <Epilogue kEpilogue>
__global__ void __launch_bounds__(Config::kThreads)
    gemm_kernel(const __grid_constant__ GemmParams params, int row_tiles, int column_tiles) {
  extern __shared__ __align__(128) uint8_t shared_bytes[];
  const uint32_t shared = ::longview::sm80::shared_address(shared_bytes);
  const auto tile_at = [&](int stage, int operand) {
    return OperandTile{shared + (2 * stage + operand) * Config::kOperandBytes};
  };
  const Place place = place_of(blockIdx.x, row_tiles, column_tiles);
  const int steps = params.in_features / Config::kTileK;
  const auto start_copies = [&](int step) {
    if (step < steps) {
      const int stage = step % Config::kStages;
      const int column = step * Config::kTileK;
      copy_operand(tile_at(stage, 0), static_cast<const uint16_t*>(params.activations),
                   place.first_row, params.tokens, column, params.in_features);
      copy_operand(tile_at(stage, 1), static_cast<const uint16_t*>(params.weights),
                   place.first_column, params.out_features, column, params.in_features);
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
    multiply_tile(tile_at(stage, 0), tile_at(stage, 1), warp_row, warp_column, sums);
  }
  store_sums<kEpilogue>(params, sums, place.first_row + warp_row,
                        place.first_column + warp_column);
}

}  // namespace longview::gemm::portable
