// One query tile of sparse prefill, and the K/V tiles made of its keys. The keys form one row of
// blocks: the listed ones from the last, so that those on the diagonal lead, then its gathered
// columns. A K/V tile takes as many blocks as fit; in the last one, what is left is masked.
// Averages of blocks, where the call has them, follow in K/V tiles of their own. So what a K/V tile
// holds depends on the list and the columns alone.
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

/// Averages instead of columns with `kAverages_`.
template <class Config, bool kAverages_>
class SparseWork {
 public:
  static constexpr bool kAverages = kAverages_;
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
        dropped_(params.dropped + static_cast<int64_t>(ticket.tile) * params.dropped_pitch),
        unmasked_end(ticket.keys / Config::kTileN),
        masked_end((ticket.keys + Config::kTileN - 1) / Config::kTileN),
        count(masked_end + average_tiles()) {}

  __device__ __forceinline__ int rows(int i) const { return keys_ - i * Config::kTileN; }

  /// The first tile has the diagonal. A later one is masked only for what is not there: all its
  /// keys lie before all rows, so zero will do.
  __device__ __forceinline__ Starts starts(int i) const { return i == 0 ? first_tile_ : Starts{}; }

  /// One bit for each block of a tile of averages.
  struct Dropped {
    uint32_t words[Config::kTileN / 32];
  };

  __device__ __forceinline__ Dropped dropped(int i) const {
    Dropped dropped;
    const uint32_t* words = dropped_ + (i - masked_end) * (Config::kTileN / 32);
#pragma unroll
    for (int word = 0; word < Config::kTileN / 32; ++word) dropped.words[word] = words[word];
    return dropped;
  }

  /// Scores of averages: those of dropped blocks count for all keys of the block, others not at
  /// all.
  __device__ __forceinline__ void weigh(float (&scores)[Config::kTileN / 2],
                                        const Dropped& dropped) const {
    const int lane_column = ::longview::sm90::lane_index() % 4 * 2;
#pragma unroll
    for (int i = 0; i < Config::kTileN / 2; ++i) {
      const int column = i / 4 * 8 + i % 2;
      const uint32_t bits = dropped.words[column / 32] >> lane_column;
      scores[i] = bits >> column % 32 & 1 ? scores[i] + params_.average_bias : -INFINITY;
    }
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
  /// Tiles of averages, which stand for the blocks before the query tile.
  __device__ __forceinline__ int average_tiles() const {
    if constexpr (!kAverages) return 0;
    const int blocks = (params_.kv_offset + first_position_) / kSelectionBlockKeys;
    return (blocks + Config::kTileN - 1) / Config::kTileN;
  }

  const Params& params_;
  const int head_;
  const int first_position_;
  const Starts first_tile_;
  const int keys_;
  const uint32_t* const dropped_;

 public:
  static constexpr int masked = 1;
  const int unmasked_end;
  const int masked_end;
  const int count;
};

}  // namespace longview::attention::sm90
