// Writes a warp's 16 rows of output from wgmma accumulators to global memory.
#pragma once

#include "attention/dense/sm90/softmax.cuh"
#include "attention/dense/sm90/tile_schedule.cuh"
#include "common/sm90/warpgroup.cuh"

namespace longview::attention::sm90 {

/// Transposes a 4 x 4 matrix over the four lanes of a quad: lane t gives words[j] and gets the word
/// that lane j holds at t.
__device__ __forceinline__ void transpose_quad(uint32_t (&words)[4]) {
  const int lane = ::longview::sm90::lane_index() % 4;
#pragma unroll
  for (int step = 1; step <= 2; step *= 2) {
    const bool upper = lane & step;
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      if (i & step) continue;
      const uint32_t given = upper ? words[i] : words[i + step];
      const uint32_t taken = __shfl_xor_sync(0xffffffff, given, step);
      if (upper) {
        words[i] = taken;
      } else {
        words[i + step] = taken;
      }
    }
  }
}

/// Stores this thread's two rows, `first_row` of the query tile and the one 8 below, in pieces of
/// 16 bytes: the lanes of a quad exchange columns so that each holds 8 neighbours.
template <int kHeadDim>
__device__ __forceinline__ void store_rows(const PrefillKernelParams& params, const QueryTile& tile,
                                           int first_row, const float (&output)[kHeadDim / 2]) {
  constexpr int kPieces = kHeadDim / 32;
  const int lane = ::longview::sm90::lane_index() % 4;
#pragma unroll
  for (int row = 0; row < 2; ++row) {
    const int tile_row = first_row + 8 * row;
    const int tile_position = tile_row / params.tile_heads;
    const int position = tile.first_position + tile_position;
    const int head = tile.first_head + tile_row - tile_position * params.tile_heads;
    const bool inside = tile_position < params.tile_positions && position < params.q_len;
    const int64_t offset = (static_cast<int64_t>(position) * params.num_heads + head) * kHeadDim;
#pragma unroll
    for (int piece = 0; piece < kPieces; ++piece) {
      uint32_t words[4];
#pragma unroll
      for (int j = 0; j < 4; ++j) {
        const float* pair = output + 16 * piece + 4 * j + 2 * row;
        words[j] = pack_bf16(pair[0], pair[1]);
      }
      transpose_quad(words);
      if (inside) {
        *reinterpret_cast<uint4*>(params.output + offset + 32 * piece + 8 * lane) =
            make_uint4(words[0], words[1], words[2], words[3]);
      }
    }
  }
}

}  // namespace longview::attention::sm90
