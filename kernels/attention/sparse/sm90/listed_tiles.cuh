// One query tile of sparse prefill, and the K/V tiles made of its listed blocks. A K/V tile takes
// as many blocks as fit, from the end of the list: the first has those on the diagonal, the last
// may have room left, which is masked. Which blocks share a tile depends on the list alone.
#pragma once

#include "attention/dense/sm90/config.h"
#include "attention/quad.cuh"
#include "attention/sparse/sm90/kernel_params.h"

namespace longview::attention::sm90 {

/// Where a block's keys begin that is not there: behind every key that a row may see.
constexpr int kBehindEveryKey = 1 << 30;

/// First keys of the blocks that make up a K/V tile.
template <int kTileBlocks>
struct BlockStarts {
  int first[kTileBlocks];
  __device__ __forceinline__ int operator()(int group) const { return first[group]; }
};

template <int kTileBlocks>
struct SparseTicket {
  int tile;                             // place in the lists: head * lists.tiles + tile
  int blocks;                           // entries of its list
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
        in_last_tile_(ticket.blocks % kTileBlocks),
        count((ticket.blocks + kTileBlocks - 1) / kTileBlocks),
        unmasked_end(ticket.blocks / kTileBlocks) {}

  /// The first tile has the diagonal. A later one is masked only where it has room left, and its
  /// blocks lie before all rows: zero will do.
  __device__ __forceinline__ Starts starts(int i) const {
    if (i == 0) return first_tile_;
    Starts starts;
#pragma unroll
    for (int block = 0; block < kTileBlocks; ++block) {
      starts.first[block] = block < in_last_tile_ ? 0 : kBehindEveryKey;
    }
    return starts;
  }

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
  const int in_last_tile_;  // 0: all

 public:
  const int count;
  static constexpr int masked = 1;
  const int unmasked_end;
};

}  // namespace longview::attention::sm90
