// Causal prefill attention by mma.sync and cp.async, for compute capability 8.0 and newer: one
// block of threads. After FlashAttention-2 (Dao, 2023, arXiv:2307.08691), section 3.
#pragma once

#include "attention/warp_attention.cuh"

namespace longview::attention::portable {

/// Two tiles of keys and two of values are in shared memory; one of each is being loaded while the
/// other is worked on.
template <int kHeadDim_>
struct PrefillConfig {
  static constexpr int kHeadDim = kHeadDim_;
  static constexpr int kWarps = 8;
  static constexpr int kThreads = 32 * kWarps;
  static constexpr int kTileRows = 16 * kWarps;
  static constexpr int kTileKeys = 64;
  static constexpr int kTileBytes = kTileKeys * kHeadDim * 2;
  static constexpr int kSharedBytes = 4 * kTileBytes;
  static constexpr int kBlocksPerMultiprocessor = kHeadDim == 64 ? 2 : 1;
};

/// kTileRows rows against tiles of keys. `Work` says which:
///   query(), output()   where offsets of rows count from
///   keys(), values()    of the KV head
///   kv_len()            keys that exist
///   count, masked       key tiles to visit, and how many of the first need the mask
///   start(i)            first key of the i-th tile
///   exists(row)         whether the block's row is one of the call
///   last_visible(row)   the last key that it may see
///   offset(row)         where it lies in query and output
/// Keys come latest first, so that the masked tiles lead: what a row has not seen leaves no trace
/// in it, and its bits do not depend on the block it is in.
template <class Config, class Work>
class PrefillBlock {
 public:
  static constexpr int kHeadDim = Config::kHeadDim;

  __device__ __forceinline__ PrefillBlock(const Work& work, float scale_log2, uint32_t shared)
      : work_(work), scale_log2_(scale_log2), shared_(shared) {}

  __device__ __forceinline__ void run() {
    fetch(work_.keys(), key_tile(0), 0);
    fetch(work_.values(), value_tile(0), 0);
    load_rows();
    int i = 0;
    for (; i < work_.masked; ++i) step<true>(i);
    for (; i < work_.count; ++i) step<false>(i);
    store_rows();
  }

 private:
  using Warp = WarpAttention<kHeadDim, Config::kTileKeys>;
  using Tile = typename Warp::Tile;

  /// One tile of keys and values, while the next ones are on their way.
  template <bool kMasked>
  __device__ __forceinline__ void step(int i) {
    sm80::wait_for_copies<1>();  // the tile's values may be missing
    __syncthreads();
    fetch(work_.keys(), key_tile(i + 1), i + 1);
    warp_.score(key_tile(i));
    if constexpr (kMasked) warp_.mask(work_.start(i), last_visible_);
    warp_.template soften<kMasked>(scale_log2_);
    sm80::wait_for_copies<1>();  // the next keys may be missing
    __syncthreads();
    fetch(work_.values(), value_tile(i + 1), i + 1);
    warp_.accumulate(value_tile(i));
  }

  /// Starts copying a tile, as one group; the group is empty where there is no such tile.
  __device__ __forceinline__ void fetch(const KvRows& rows, Tile destination, int i) const {
    if (i < work_.count) {
      copy_rows<kHeadDim, Config::kTileKeys, Config::kThreads>(
          destination, rows, work_.start(i), work_.kv_len(), static_cast<int>(threadIdx.x));
    }
    sm80::commit_copies();
  }

  __device__ __forceinline__ void load_rows() {
    const uint16_t* sources[2];
#pragma unroll
    for (int i = 0; i < 2; ++i) {
      const int row = lane_row(i);
      sources[i] = work_.exists(row) ? work_.query() + work_.offset(row) : nullptr;
      last_visible_[i] = work_.last_visible(row);
    }
    warp_.load_query(sources[0], sources[1]);
  }

  __device__ __forceinline__ void store_rows() {
#pragma unroll
    for (int i = 0; i < 2; ++i) {
      const int row = lane_row(i);
      warp_.scale_output(i, 1.f / warp_.softmax().sum(i));
      store_row<kHeadDim>(warp_.output(), i,
                          work_.exists(row) ? work_.output() + work_.offset(row) : nullptr);
    }
  }

  /// The lane's i-th row among the block's.
  __device__ __forceinline__ static int lane_row(int i) {
    const int warp = static_cast<int>(threadIdx.x) / 32;
    return 16 * warp + static_cast<int>(threadIdx.x) % 32 / 4 + 8 * i;
  }

  __device__ __forceinline__ Tile key_tile(int i) const {
    return {shared_ + (i & 1) * Config::kTileBytes};
  }
  __device__ __forceinline__ Tile value_tile(int i) const {
    return {shared_ + (2 + (i & 1)) * Config::kTileBytes};
  }

  const Work& work_;
  const float scale_log2_;
  const uint32_t shared_;
  int last_visible_[2];
  Warp warp_;
};

}  // namespace longview::attention::portable
