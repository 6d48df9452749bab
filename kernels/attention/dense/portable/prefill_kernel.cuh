// Causal prefill attention by mma.sync and cp.async, for compute capability 8.0 and newer.
// After FlashAttention-2 (Dao, 2023, arXiv:2307.08691), section 3.
#pragma once

#include "attention/warp_attention.cuh"

namespace longview::attention::portable {

struct PrefillKernelParams {
  const uint16_t* query;  // [q_len, num_heads, head_dim] bf16
  const uint16_t* key;    // pool or contiguous, see DensePrefillParams
  const uint16_t* value;
  uint16_t* output;            // as query
  const int32_t* block_table;  // or null
  int q_len;
  int kv_len;
  int num_heads;
  int num_kv_heads;
  int heads_per_kv_head;
  int row_tiles;     // of one KV head
  float scale_log2;  // softmax scale * log2(e)
};

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

/// The rows of a KV head are the (position, head) pairs that read it, heads fastest; a block works
/// on kTileRows of them. Keys come latest first, so that the masked tiles lead: what a row has not
/// seen leaves no trace in it, and its bits do not depend on the block it is in.
template <class Config>
class PrefillBlock {
 public:
  static constexpr int kHeadDim = Config::kHeadDim;

  __device__ __forceinline__ PrefillBlock(const PrefillKernelParams& params, uint32_t shared)
      : params_(params), shared_(shared) {
    // The last positions, which have the most keys, come first.
    const int row_tile = params.row_tiles - 1 - static_cast<int>(blockIdx.x) / params.num_kv_heads;
    kv_head_ = static_cast<int>(blockIdx.x) % params.num_kv_heads;
    first_row_ = row_tile * Config::kTileRows;
    rows_ = params.q_len * params.heads_per_kv_head;
  }

  __device__ __forceinline__ void run() {
    const int kv_offset = params_.kv_len - params_.q_len;
    const int last_row = min(first_row_ + Config::kTileRows, rows_) - 1;
    const int visible_to_first = kv_offset + first_row_ / params_.heads_per_kv_head + 1;
    const int visible_to_last = kv_offset + last_row / params_.heads_per_kv_head + 1;
    const int tiles = (visible_to_last + Config::kTileKeys - 1) / Config::kTileKeys;
    const int unmasked = visible_to_first / Config::kTileKeys;

    fetch(keys(), key_tile(tiles - 1), tiles - 1);
    fetch(values(), value_tile(tiles - 1), tiles - 1);
    load_rows(kv_offset);
    int tile = tiles - 1;
    for (; tile >= unmasked; --tile) step<true>(tile);
    for (; tile >= 0; --tile) step<false>(tile);
    store_rows();
  }

 private:
  using Warp = WarpAttention<kHeadDim, Config::kTileKeys>;
  using Tile = typename Warp::Tile;

  /// One tile of keys and values, while the next ones are on their way.
  template <bool kMasked>
  __device__ __forceinline__ void step(int tile) {
    sm80::wait_for_copies<1>();  // the tile's values may be missing
    __syncthreads();
    fetch(keys(), key_tile(tile - 1), tile - 1);
    warp_.score(key_tile(tile));
    if constexpr (kMasked) warp_.mask(tile * Config::kTileKeys, last_visible_);
    warp_.template soften<kMasked>(params_.scale_log2);
    sm80::wait_for_copies<1>();  // the next keys may be missing
    __syncthreads();
    fetch(values(), value_tile(tile - 1), tile - 1);
    warp_.accumulate(value_tile(tile));
  }

  /// Starts copying a tile, as one group; the group is empty where there is no such tile.
  __device__ __forceinline__ void fetch(const KvRows& rows, Tile destination, int tile) const {
    if (tile >= 0) {
      copy_rows<kHeadDim, Config::kTileKeys, Config::kThreads>(
          destination, rows, tile * Config::kTileKeys, params_.kv_len,
          static_cast<int>(threadIdx.x));
    }
    sm80::commit_copies();
  }

  __device__ __forceinline__ void load_rows(int kv_offset) {
    const uint16_t* sources[2];
#pragma unroll
    for (int i = 0; i < 2; ++i) {
      const int row = lane_row(i);
      sources[i] = row < rows_ ? params_.query + offset(row) : nullptr;
      last_visible_[i] = kv_offset + row / params_.heads_per_kv_head;
    }
    warp_.load_query(sources[0], sources[1]);
  }

  __device__ __forceinline__ void store_rows() {
#pragma unroll
    for (int i = 0; i < 2; ++i) {
      const int row = lane_row(i);
      warp_.scale_output(i, 1.f / warp_.softmax().sum(i));
      store_row<kHeadDim>(warp_.output(), i, row < rows_ ? params_.output + offset(row) : nullptr);
    }
  }

  /// The lane's i-th row among the KV head's.
  __device__ __forceinline__ int lane_row(int i) const {
    const int warp = static_cast<int>(threadIdx.x) / 32;
    return first_row_ + 16 * warp + static_cast<int>(threadIdx.x) % 32 / 4 + 8 * i;
  }

  /// Where a row lies in query and output.
  __device__ __forceinline__ int64_t offset(int row) const {
    const int position = row / params_.heads_per_kv_head;
    const int head = kv_head_ * params_.heads_per_kv_head + row % params_.heads_per_kv_head;
    return (int64_t{position} * params_.num_heads + head) * kHeadDim;
  }

  __device__ __forceinline__ KvRows kv_rows(const uint16_t* first) const {
    return {first + kv_head_ * kHeadDim, params_.num_kv_heads * kHeadDim, params_.block_table};
  }
  __device__ __forceinline__ KvRows keys() const { return kv_rows(params_.key); }
  __device__ __forceinline__ KvRows values() const { return kv_rows(params_.value); }

  __device__ __forceinline__ Tile key_tile(int tile) const {
    return {shared_ + (tile & 1) * Config::kTileBytes};
  }
  __device__ __forceinline__ Tile value_tile(int tile) const {
    return {shared_ + (2 + (tile & 1)) * Config::kTileBytes};
  }

  const PrefillKernelParams& params_;
  uint32_t shared_;
  int kv_head_;
  int first_row_;
  int rows_;
  int last_visible_[2];
  Warp warp_;
};

template <class Config>
__global__ void __launch_bounds__(Config::kThreads, Config::kBlocksPerMultiprocessor)
    dense_prefill_kernel(const __grid_constant__ PrefillKernelParams params) {
  extern __shared__ __align__(1024) uint8_t shared[];
  PrefillBlock<Config>(params, sm80::shared_address(shared)).run();
}

}  // namespace longview::attention::portable
