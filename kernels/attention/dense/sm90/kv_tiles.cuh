// One query tile, and which K/V tiles it visits. The consumers know a query tile by these members
// alone, so that other choices of keys are other types (attention/sparse/sm90):
//   Params, Ticket     what the kernel is launched with, and what comes with each query
//   count              K/V tiles to visit, at least 1
//   masked             how many of the first need the mask
//   unmasked_end       the tiles from here on, one at most, need the mask again,
//   masked_end         up to this one
//   kAverages          whether keys of the tiles behind stand for several; then
//   dropped(i)         says which of them count, and
//   weigh(scores, ..)  weighs the scores by it
//   rows(i)            of a masked tile: how many of its keys are there, from the first
//   starts(i)(group)   of a masked tile: number of the first of its keys 64 * group and up
//   last_visible(row)  the last key that a row of the tile may see
//   store(row, ...)    writes two rows of output
// Tiles come latest first, so that those on the diagonal lead.
#pragma once

#include "attention/dense/sm90/epilogue.cuh"
#include "attention/dense/sm90/tile_schedule.cuh"

namespace longview::attention::sm90 {

/// All keys up to the diagonal.
template <int kTileN>
struct CausalKvTiles {
  int count;
  int masked;

  __device__ __forceinline__ CausalKvTiles(const PrefillKernelParams& params,
                                           const QueryTile& tile) {
    const int after_tile = min(tile.first_position + params.tile_positions, params.q_len);
    const int visible_to_first = params.kv_offset + tile.first_position + 1;
    const int visible_to_last = params.kv_offset + after_tile;
    count = (visible_to_last + kTileN - 1) / kTileN;
    masked = count - visible_to_first / kTileN;
  }

  __device__ __forceinline__ int start(int i) const { return (count - 1 - i) * kTileN; }
};

struct DenseTicket {
  int tile;
};

/// The work of dense prefill: a query tile against all keys up to the diagonal.
template <class Config>
class DenseWork {
 public:
  using Params = PrefillKernelParams;
  using Ticket = DenseTicket;
  static constexpr bool kAverages = false;

  __device__ __forceinline__ DenseWork(const Params& params, const Ticket& ticket)
      : params_(params),
        tile_(query_tile(params, ticket.tile)),
        tiles_(params, tile_),
        count(tiles_.count),
        masked(tiles_.masked),
        unmasked_end(tiles_.count),
        masked_end(tiles_.count) {}

  struct Dropped {};  // there are no averages

  /// What is not there lies behind the last key, so that the causal mask covers it.
  __device__ __forceinline__ static constexpr int rows(int) { return Config::kTileN; }

  struct Starts {
    int first;
    __device__ __forceinline__ int operator()(int group) const { return first + 64 * group; }
  };
  __device__ __forceinline__ Starts starts(int i) const { return {tiles_.start(i)}; }

  __device__ __forceinline__ int last_visible(int row) const {
    return params_.kv_offset + tile_.first_position + row / params_.tile_heads;
  }

  __device__ __forceinline__ void store(int first_row,
                                        const float (&output)[Config::kHeadDim / 2]) const {
    store_rows<Config::kHeadDim>(params_, tile_, first_row, output);
  }

 private:
  const Params& params_;
  const QueryTile tile_;
  const CausalKvTiles<Config::kTileN> tiles_;

 public:
  const int count;
  const int masked;
  const int unmasked_end;
  const int masked_end;
};

}  // namespace longview::attention::sm90
