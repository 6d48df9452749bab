// Sparse prefill for compute capability 8.0 and newer: which rows and keys a block works on.
#pragma once

#include "attention/block_lists.h"
#include "attention/dense/portable/prefill_block.cuh"

namespace longview::attention::portable {

struct SparseKernelParams {
  const uint16_t* query;  // [q_len, num_heads, head_dim] bf16
  const uint16_t* key;    // pool or contiguous, see DensePrefillParams
  const uint16_t* value;
  const uint16_t* beside_key;  // columns or averages, see GatheredColumns and BlockAverages
  const uint16_t* beside_value;
  uint16_t* output;            // as query
  const int32_t* block_table;  // or null
  BlockLists lists;
  const int32_t* visible_columns;  // [num_heads, lists.tiles], or null: no columns
  int column_capacity;
  const uint32_t* dropped;  // [num_heads, lists.tiles, dropped_pitch], or null: no averages
  int dropped_pitch;
  float average_bias;    // what 64 keys in place of one add to a raw score
  const int32_t* order;  // [blocks of the grid] places of tiles in `lists`
  int q_len;
  int kv_len;
  int num_heads;
  int num_kv_heads;
  float scale_log2;  // softmax scale * log2(e)
};

/// A query tile of one head against the blocks of its list, one at a time, from the last, and then
/// against its columns, a block's worth at a time; or, with `kAverages_`, against averages.
template <class Config, bool kAverages_>
class SparseWork {
 public:
  static constexpr bool kAverages = kAverages_;
  static_assert(Config::kTileRows == kSelectionTileRows);
  static_assert(Config::kTileKeys == kSelectionBlockKeys);

  __device__ __forceinline__ explicit SparseWork(const SparseKernelParams& params)
      : params_(params) {
    const int place = params.order[blockIdx.x];
    head_ = place / params.lists.tiles;
    first_position_ = (place - head_ * params.lists.tiles) * kSelectionTileRows;
    kv_head_ = head_ / (params.num_heads / params.num_kv_heads);
    listed_ = params.lists.counts[place];
    const bool has_columns = !kAverages && params.visible_columns != nullptr;
    columns_ = has_columns ? params.visible_columns[place] : 0;
    last_ = params.lists.blocks + int64_t{place} * params.lists.max_blocks + listed_ - 1;
    masked_end = listed_ + (columns_ + kSelectionBlockKeys - 1) / kSelectionBlockKeys;
    const int averages = kAverages ? (last_visible(0) / kSelectionBlockKeys) : 0;
    count = masked_end + (averages + kSelectionBlockKeys - 1) / kSelectionBlockKeys;
    masked = min(kSelectionTileRows / kSelectionBlockKeys, masked_end);
    dropped_ = params.dropped + int64_t{place} * params.dropped_pitch;
    unmasked_end = listed_ + columns_ / kSelectionBlockKeys;
  }

  __device__ __forceinline__ const uint16_t* query() const { return params_.query; }
  __device__ __forceinline__ uint16_t* output() const { return params_.output; }
  __device__ __forceinline__ KvRows keys(int i) const {
    return i < listed_ ? kv_rows(params_.key) : beside_rows(params_.beside_key);
  }
  __device__ __forceinline__ KvRows values(int i) const {
    return i < listed_ ? kv_rows(params_.value) : beside_rows(params_.beside_value);
  }

  __device__ __forceinline__ int start(int i) const {
    return (i < listed_ ? last_[-i] : i - listed_) * kSelectionBlockKeys;
  }
  __device__ __forceinline__ int end(int i) const {
    if (i < listed_) return params_.kv_len;
    return kAverages ? (params_.kv_len + kSelectionBlockKeys - 1) / kSelectionBlockKeys : columns_;
  }

  /// One bit for each block of a tile of averages.
  struct Dropped {
    uint32_t words[Config::kTileKeys / 32];
  };
  __device__ __forceinline__ Dropped dropped(int i) const {
    const uint32_t* words = dropped_ + (i - masked_end) * (Config::kTileKeys / 32);
    return {{words[0], words[1]}};
  }
  __device__ __forceinline__ float average_bias() const { return params_.average_bias; }

  __device__ __forceinline__ bool exists(int row) const {
    return first_position_ + row < params_.q_len;
  }

  __device__ __forceinline__ int last_visible(int row) const {
    return params_.kv_len - params_.q_len + first_position_ + row;
  }

  __device__ __forceinline__ int64_t offset(int row) const {
    return (int64_t{first_position_ + row} * params_.num_heads + head_) * Config::kHeadDim;
  }

  int count;
  int masked;
  int unmasked_end;
  int masked_end;

 private:
  __device__ __forceinline__ KvRows kv_rows(const uint16_t* first) const {
    return {first + kv_head_ * Config::kHeadDim, params_.num_kv_heads * Config::kHeadDim,
            params_.block_table};
  }

  /// Columns of the head, or averages of the KV head.
  __device__ __forceinline__ KvRows beside_rows(const uint16_t* first) const {
    if constexpr (kAverages) {
      return {first + kv_head_ * Config::kHeadDim, params_.num_kv_heads * Config::kHeadDim,
              nullptr};
    }
    return {first + int64_t{head_} * params_.column_capacity * Config::kHeadDim, Config::kHeadDim,
            nullptr};
  }

  const SparseKernelParams& params_;
  int listed_;
  int columns_;
  int head_;
  int kv_head_;
  int first_position_;
  const uint16_t* last_;     // of the list
  const uint32_t* dropped_;  // the tile's bits
};

template <class Config, bool kAverages>
__global__ void __launch_bounds__(Config::kThreads, Config::kBlocksPerMultiprocessor)
    sparse_prefill_kernel(const __grid_constant__ SparseKernelParams params) {
  extern __shared__ __align__(1024) uint8_t shared[];
  using Work = SparseWork<Config, kAverages>;
  const Work work(params);
  PrefillBlock<Config, Work>(work, params.scale_log2, sm80::shared_address(shared)).run();
}

}  // namespace longview::attention::portable
