// One query tile of sparse prefill, and the K/V tiles made of its keys. The keys form one row of
// blocks: the listed ones from the last, so that those on the diagonal lead, then its gathered
// columns. A K/V tile takes as many blocks as fit; in the last one, what is left is masked. So what
// a K/V tile holds depends on the list and the columns alone.
#pragma once

#include "attention/dense/sm90/config.h"
#include "attention/quad.cuh"
#include "attention/sparse/sm90/kernel_params.h"

namespace longview::attention::sm90 {

/// First keys of the blocks that make up a K/V tile.
template <int kTileBlocks>
struct BlockStarts {
  int first[kTileBlocks];
  __device__ __forceinline__ int operator()(int group) const { return first[group]; }
};

template <int kTileBlocks>
struct SparseTicket {
  int tile;                             // place in the lists: head * lists.tiles + tile
  int keys;                             // of all its blocks: 64 of each listed one, and its columns
  BlockStarts<kTileBlocks> first_tile;  // of the first K/V tile
};

template <class Config>
class SparseWork {
 public:
  static constexpr int kTileBlocks = Config::kTileN / kSelectionBlockKeys;
  static_assert(Config::kTileN % kSelectionBlockKeys == 0);
  static_assert(Config::kTileM == kSelectionTileRows);

  using Params = SparseKernelParams;
  using Ticket = SparseTicket<kTileBlocks>;
  using Starts = BlockStarts<kTileBlocks>;

  __device__ __forceinline__ SparseWork(const Params& params, const Ticket& ticket)
      : params_(params),
        head_(ticket.tile / params.lists.tiles),
        first_position_((ticket.tile - head_ * params.lists.tiles) * kSelectionTileRows),
        first_tile_(ticket.first_tile),
        keys_(ticket.keys),
        count((ticket.keys + Config::kTileN - 1) / Config::kTileN),
        unmasked_end(ticket.keys / Config::kTileN) {}

  __device__ __forceinline__ int rows(int i) const { return keys_ - i * Config::kTileN; }

  /// The first tile has the diagonal. A later one is masked only for what is not there: all its
  /// keys lie before all rows, so zero will do.
  __device__ __forceinline__ Starts starts(int i) const { return i == 0 ? first_tile_ : Starts{}; }

  __device__ __forceinline__ int last_visible(int row) const {
    return params_.kv_offset + first_position_ + row;
  }

  __device__ __forceinline__ void store(int first_row,
                                        const float (&output)[Config::kHeadDim / 2]) const {
#pragma unroll
    for (int row = 0; row < 2; ++row) {
      const int position = first_position_ + first_row + 8 * row;
      const int64_t offset =
          (static_cast<int64_t>(position) * params_.num_heads + head_) * Config::kHeadDim;
      store_row<Config::kHeadDim>(output, row,
                                  position < params_.q_len ? params_.output + offset : nullptr);
    }
  }

 private:
  const Params& params_;
  const int head_;
  const int first_position_;
  const Starts first_tile_;
  const int keys_;

 public:
  const int count;
  static constexpr int masked = 1;
  const int unmasked_end;
};

}  // namespace longview::attention::sm90
