// Dense prefill for compute capability 8.0 and newer: which rows and keys a block works on.
#pragma once

#include "attention/dense/portable/prefill_block.cuh"

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

/// The rows of a KV head are the (position, head) pairs that read it, heads fastest; a block takes
/// kTileRows of them, against all keys up to the diagonal.
template <class Config>
class DenseWork {
 public:
  static constexpr bool kAverages = false;

  __device__ __forceinline__ explicit DenseWork(const PrefillKernelParams& params)
      : params_(params) {
    // The last positions, which have the most keys, come first.
    const int row_tile = params.row_tiles - 1 - static_cast<int>(blockIdx.x) / params.num_kv_heads;
    kv_head_ = static_cast<int>(blockIdx.x) % params.num_kv_heads;
    first_row_ = row_tile * Config::kTileRows;
    rows_ = params.q_len * params.heads_per_kv_head;

    const int last_row = min(Config::kTileRows, rows_ - first_row_) - 1;
    count = last_visible(last_row) / Config::kTileKeys + 1;
    masked = count - (last_visible(0) + 1) / Config::kTileKeys;
    unmasked_end = count;
    masked_end = count;
  }

  __device__ __forceinline__ const uint16_t* query() const { return params_.query; }
  __device__ __forceinline__ uint16_t* output() const { return params_.output; }
  __device__ __forceinline__ KvRows keys(int) const { return kv_rows(params_.key); }
  __device__ __forceinline__ KvRows values(int) const { return kv_rows(params_.value); }

  __device__ __forceinline__ int start(int i) const { return (count - 1 - i) * Config::kTileKeys; }
  __device__ __forceinline__ int end(int) const { return params_.kv_len; }

  __device__ __forceinline__ bool exists(int row) const { return first_row_ + row < rows_; }

  __device__ __forceinline__ int last_visible(int row) const {
    return params_.kv_len - params_.q_len + (first_row_ + row) / params_.heads_per_kv_head;
  }

  __device__ __forceinline__ int64_t offset(int row) const {
    const int position = (first_row_ + row) / params_.heads_per_kv_head;
    const int head =
        kv_head_ * params_.heads_per_kv_head + (first_row_ + row) % params_.heads_per_kv_head;
    return (int64_t{position} * params_.num_heads + head) * Config::kHeadDim;
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

  const PrefillKernelParams& params_;
  int kv_head_;
  int first_row_;
  int rows_;  // of the KV head
};

template <class Config>
__global__ void __launch_bounds__(Config::kThreads, Config::kBlocksPerMultiprocessor)
    dense_prefill_kernel(const __grid_constant__ PrefillKernelParams params) {
  extern __shared__ __align__(1024) uint8_t shared[];
  const DenseWork<Config> work(params);
  PrefillBlock<Config, DenseWork<Config>>(work, params.scale_log2, sm80::shared_address(shared))
      .run();
}

}  // namespace longview::attention::portable
