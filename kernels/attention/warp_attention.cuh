// Attention of one warp: 16 query rows against tiles of keys and values in shared memory, by
// mma.sync. The portable prefill and flash decode are built from it.
#pragma once

#include <cmath>

#include "attention/kv_rows.cuh"
#include "attention/softmax.cuh"
#include "common/sm80/mma.cuh"

namespace longview::attention {

/// Copies `kRows` rows of keys or values that begin at token `start` into `tile`, thread by thread;
/// rows from `end` on become zeros. The tokens must not cross a block.
template <int kHeadDim, int kRows, int kThreads>
__device__ __forceinline__ void copy_rows(sm80::SwizzledTile<kHeadDim> tile, const KvRows& rows,
                                          int start, int end, int thread) {
  constexpr int kPieces = sm80::SwizzledTile<kHeadDim>::kPieces;
  constexpr int kRowsAtOnce = kThreads / kPieces;
  static_assert(KV_BLOCK_TOKENS % kRows == 0 && kRows % kRowsAtOnce == 0);
  const int piece = thread % kPieces;
  const uint16_t* source = rows.run(start) + 8 * piece;
#pragma unroll
  for (int i = 0; i < kRows; i += kRowsAtOnce) {
    const int row = i + thread / kPieces;
    const bool exists = start + row < end;
    sm80::copy_16_async(tile.piece(row, piece), source + (exists ? row * rows.stride : 0), exists);
  }
}

/// What a warp holds of 16 rows; lane l has rows l / 4 and l / 4 + 8.
template <int kHeadDim, int kKeys>
class WarpAttention {
 public:
  using Tile = sm80::SwizzledTile<kHeadDim>;

  /// Reads the lane's rows of the query; where a row is null, it counts as zeros.
  __device__ __forceinline__ void load_query(const uint16_t* row, const uint16_t* row_8_below) {
    const uint16_t* sources[2] = {row, row_8_below};
#pragma unroll
    for (int i = 0; i < kHeadDim / 4; ++i) {
      const uint16_t* source = sources[i % 2];
      const int column = i / 4 * kDepth + i / 2 % 2 * 8 + lane() % 4 * 2;
      query_[i] = source == nullptr ? 0 : *reinterpret_cast<const uint32_t*>(source + column);
    }
  }

  /// scores = Q K^T for the tile's keys.
  __device__ __forceinline__ void score(Tile keys) {
#pragma unroll
    for (int i = 0; i < kKeys / 2; ++i) scores_[i] = 0.f;
#pragma unroll
    for (int k = 0; k < kHeadDim / kDepth; ++k) {
#pragma unroll
      for (int n = 0; n < kKeys / 16; ++n) {
        uint32_t b[4];
        sm80::load_matrices(
            b, keys.piece(16 * n + lane() / 16 * 8 + lane() % 8, 2 * k + lane() / 8 % 2));
        sm80::multiply_add(scores_ + 8 * n, query_ + 4 * k, b[0], b[1]);
        sm80::multiply_add(scores_ + 8 * n + 4, query_ + 4 * k, b[2], b[3]);
      }
    }
  }

  /// Hides keys behind `last_visible[row]`; the tile begins at key `start`.
  __device__ __forceinline__ void mask(int start, const int (&last_visible)[2]) {
    const int first_key = start + lane() % 4 * 2;
#pragma unroll
    for (int i = 0; i < kKeys / 2; ++i) {
      const int key = first_key + i / 4 * 8 + i % 2;
      if (key > last_visible[i / 2 % 2]) scores_[i] = -INFINITY;
    }
  }

  /// Takes the keys for averages of several: those whose bit of `counted` is set get `bias` for
  /// that, the others do not count.
  __device__ __forceinline__ void weigh(const uint32_t (&counted)[kKeys / 32], float bias) {
#pragma unroll
    for (int i = 0; i < kKeys / 2; ++i) {
      const int key = i / 4 * 8 + i % 2;
      const uint32_t bits = counted[key / 32] >> (lane() % 4 * 2);
      scores_[i] = bits >> key % 32 & 1 ? scores_[i] + bias : -INFINITY;
    }
  }

  /// Turns the scores into probabilities and brings the output so far to their maximum. With
  /// kMayBeEmpty a row may have seen no key yet.
  template <bool kMayBeEmpty>
  __device__ __forceinline__ void soften(float scale_log2) {
#pragma unroll
    for (int row = 0; row < 2; ++row) {
      softmax_.template find_maximum<kMayBeEmpty>(row, scores_, scale_log2);
      softmax_.exponentiate(row, scores_, scale_log2);
      scale_output(row, softmax_.rescale(row));
    }
  }

  /// output += P V.
  __device__ __forceinline__ void accumulate(Tile values) {
#pragma unroll
    for (int k = 0; k < kKeys / kDepth; ++k) {
      uint32_t a[4];
#pragma unroll
      for (int i = 0; i < 4; ++i) {
        a[i] = pack_bf16(scores_[8 * k + 2 * i], scores_[8 * k + 2 * i + 1]);
      }
#pragma unroll
      for (int n = 0; n < kHeadDim / 16; ++n) {
        uint32_t b[4];
        sm80::load_matrices_transposed(b,
                                       values.piece(kDepth * k + lane() % 16, 2 * n + lane() / 16));
        sm80::multiply_add(output_ + 8 * n, a, b[0], b[1]);
        sm80::multiply_add(output_ + 8 * n + 4, a, b[2], b[3]);
      }
    }
  }

  __device__ __forceinline__ void scale_output(int row, float factor) {
#pragma unroll
    for (int i = 2 * row; i < kHeadDim / 2; i += 4) {
      output_[i] *= factor;
      output_[i + 1] *= factor;
    }
  }

  /// Not yet divided by the sum of probabilities; elements as in common/sm80/mma.cuh.
  __device__ __forceinline__ const float (&output() const)[kHeadDim / 2] { return output_; }
  __device__ __forceinline__ const RowSoftmax& softmax() const { return softmax_; }

 private:
  static constexpr int kDepth = 16;  // of one product

  __device__ __forceinline__ static int lane() { return static_cast<int>(threadIdx.x) % 32; }

  uint32_t query_[kHeadDim / 4];
  float scores_[kKeys / 2];  // of one tile; probabilities after soften()
  float output_[kHeadDim / 2] = {};
  RowSoftmax softmax_;
};

}  // namespace longview::attention
