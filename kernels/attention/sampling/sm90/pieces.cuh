// Which part of the work a block does.
#pragma once

#include "attention/sampling/params.h"
#include "attention/sampling/sm90/kernel_params.h"

namespace longview::attention::sm90 {

/// Averages of `kPooledKeys` keys that lie wholly at or before `position`.
template <int kPooledKeys>
__host__ __device__ constexpr int visible_averages(int position) {
  return (position + 1) / kPooledKeys;
}

/// Tiles of keys that the rows of row tile `row_tile` see, at least 1.
template <class Config>
__host__ __device__ inline int key_tiles(const SamplingKernelParams& params, int row_tile) {
  using Keys = typename Config::Keys;
  const int last_pair = Config::kConsumers * (row_tile + 1) - 1;
  const int last_group = last_pair / params.heads_per_kv_head;
  int row = params.rows.row(last_group, kSampledGroupRows - 1);
  if (row >= params.q_len) row = params.q_len - 1;
  const int averages = visible_averages<Keys::kPooledKeys>(params.kv_offset + row);
  const int tiles = (averages + Keys::kTileRows - 1) / Keys::kTileRows;
  return tiles > 1 ? tiles : 1;
}

/// A run of key tiles against one row tile. Where it does not begin with tile 0, that one comes
/// before it: the rows' constants are taken from there.
struct SamplingPiece {
  int row_tile;
  int kv_head;
  int first_tile;
  int end_tile;

  __device__ __forceinline__ bool needs_reference() const { return first_tile > 0; }

  /// The tile that comes `step`-th.
  __device__ __forceinline__ int tile(int step) const {
    if (!needs_reference()) return step;
    return step == 0 ? 0 : first_tile + step - 1;
  }
};

/// All blocks get equal shares of one long row of tiles, whatever row tiles they cut through: what
/// is computed for a row and a key tile depends on nothing else.
template <class Config>
class SamplingPieces {
 public:
  __device__ __forceinline__ explicit SamplingPieces(const SamplingKernelParams& params)
      : params_(params), next_(share(blockIdx.x)), end_(share(blockIdx.x + 1)) {
    tiles_ = key_tiles<Config>(params_, 0);
    enter();
  }

  __device__ __forceinline__ bool done() const { return next_ >= end_; }

  __device__ __forceinline__ SamplingPiece current() const {
    const int in_row_tile = next_ - row_tile_start_;
    const int kv_head = in_row_tile / tiles_;
    const int first = in_row_tile - kv_head * tiles_;
    return {row_tile_, kv_head, first, min(tiles_, first + end_ - next_)};
  }

  __device__ __forceinline__ void advance() {
    const SamplingPiece piece = current();
    next_ += piece.end_tile - piece.first_tile;
    enter();
  }

 private:
  __device__ __forceinline__ int share(int block) const {
    return static_cast<int>(int64_t{params_.work} * block / gridDim.x);
  }

  /// Goes on to the row tile that `next_` is in.
  __device__ __forceinline__ void enter() {
    while (next_ < end_ && next_ >= row_tile_start_ + tiles_ * params_.num_kv_heads) {
      row_tile_start_ += tiles_ * params_.num_kv_heads;
      tiles_ = key_tiles<Config>(params_, ++row_tile_);
    }
  }

  const SamplingKernelParams& params_;
  int next_;
  int end_;
  int row_tile_ = 0;
  int row_tile_start_ = 0;
  int tiles_;
};

}  // namespace longview::attention::sm90
