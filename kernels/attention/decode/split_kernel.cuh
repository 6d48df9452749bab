// First kernel of flash decode: each block attends to one split of the keys.
// After Flash-Decoding (Dao et al., 2023) and FlashAttention-2 (arXiv:2307.08691).
#pragma once

#include "attention/decode/kernel_params.h"
#include "attention/decode/splits.h"
#include "attention/warp_attention.cuh"
#include "common/programmatic_launch.cuh"

namespace longview::attention {

/// Keys of the step, brought inside the limits. Like all that a kernel just before may have
/// written, it is read by an ordinary load: what started early must not find it in the read-only
/// cache.
__device__ __forceinline__ int current_kv_len(const DecodeKernelParams& params) {
  return min(max(*params.kv_len, 0), params.max_kv_len);
}

/// One block: up to 16 query heads of a KV head against one split. Slices go to the warps in turn;
/// the warps meet once, at the end.
template <class Config>
class SplitBlock {
 public:
  static constexpr int kHeadDim = Config::kHeadDim;

  __device__ __forceinline__ SplitBlock(const DecodeKernelParams& params, uint8_t* shared)
      : params_(params), shared_(shared), warp_(threadIdx.x / 32), lane_(threadIdx.x % 32) {
    kv_head_ = static_cast<int>(blockIdx.y) / params.head_tiles;
    const int head_tile = static_cast<int>(blockIdx.y) % params.head_tiles;
    first_head_ = kv_head_ * params.heads_per_kv_head + head_tile * Config::kTileHeads;
    heads_ = min(Config::kTileHeads, params.heads_per_kv_head - head_tile * Config::kTileHeads);
  }

  __device__ __forceinline__ void run() {
    kv_len_ = current_kv_len(params_);
    const int slices = (kv_len_ + Config::kSliceKeys - 1) / Config::kSliceKeys;
    const int splits = decode_splits(slices, params_.split_limit);
    const int split = static_cast<int>(blockIdx.x);
    if (split >= splits) return;
    attend(first_slice(split, splits, slices), first_slice(split + 1, splits, slices));
    meet(split);
  }

 private:
  using Warp = WarpAttention<kHeadDim, Config::kSliceKeys>;
  using Tile = typename Warp::Tile;

  /// The warp's share of the slices from `begin` to `end`.
  __device__ __forceinline__ void attend(int begin, int end) {
    begin += warp_;
    for (int i = 0; i < Config::kStages; ++i) fetch(begin + i * Config::kWarps, end, i);
    attention_.load_query(query_row(0), query_row(1));
    int stage = 0;
    for (int slice = begin; slice < end; slice += Config::kWarps) {
      sm80::wait_for_copies<Config::kStages - 1>();
      __syncwarp();
      const int start = slice * Config::kSliceKeys;
      attention_.score(key_tile(stage));
      if (start + Config::kSliceKeys > kv_len_) attention_.mask(start, {kv_len_ - 1, kv_len_ - 1});
      attention_.template soften<false>(params_.scale_log2);
      attention_.accumulate(value_tile(stage));
      __syncwarp();
      fetch(slice + Config::kStages * Config::kWarps, end, stage);
      stage = stage + 1 == Config::kStages ? 0 : stage + 1;
    }
  }

  /// Starts copying a slice, as one group; the group is empty from `end` on.
  __device__ __forceinline__ void fetch(int slice, int end, int stage) const {
    if (slice < end) {
      const int start = slice * Config::kSliceKeys;
      copy_rows<kHeadDim, Config::kSliceKeys, 32>(key_tile(stage), kv_rows(params_.key), start,
                                                  kv_len_, lane_);
      copy_rows<kHeadDim, Config::kSliceKeys, 32>(value_tile(stage), kv_rows(params_.value), start,
                                                  kv_len_, lane_);
    }
    sm80::commit_copies();
  }

  /// Adds up what the warps have, in their order, and writes the split's part of the workspace.
  __device__ __forceinline__ void meet(int split) {
    __shared__ float2 softmax[Config::kWarps][Config::kTileHeads];
    auto* outputs = reinterpret_cast<float (*)[Config::kTileHeads][kHeadDim]>(shared_);
    __syncthreads();  // the rings are done with
    leave(outputs[warp_], softmax[warp_]);
    __syncthreads();

    for (int i = static_cast<int>(threadIdx.x); i < heads_ * kHeadDim; i += Config::kThreads) {
      const int head = i / kHeadDim;
      const int column = i % kHeadDim;
      float maximum = -INFINITY;
#pragma unroll
      for (int w = 0; w < Config::kWarps; ++w) maximum = fmaxf(maximum, softmax[w][head].x);
      float output = 0.f;
      float sum = 0.f;
#pragma unroll
      for (int w = 0; w < Config::kWarps; ++w) {
        const float factor = exp2_fast(softmax[w][head].x - maximum);
        output += factor * outputs[w][head][column];
        sum += factor * softmax[w][head].y;
      }
      const int64_t part = int64_t{first_head_ + head} * params_.max_splits + split;
      params_.partial_outputs[part * kHeadDim + column] = output;
      if (column == 0) params_.partial_softmax[part] = make_float2(maximum, sum);
    }
  }

  /// Puts the warp's rows where the others can read them.
  __device__ __forceinline__ void leave(float (*outputs)[kHeadDim], float2* softmax) const {
#pragma unroll
    for (int row = 0; row < 2; ++row) {
      const int head = lane_ / 4 + 8 * row;
      const float sum = attention_.softmax().sum(row);
      if (lane_ % 4 == 0) {
        softmax[head] = make_float2(attention_.softmax().maximum(row) * params_.scale_log2, sum);
      }
#pragma unroll
      for (int j = 0; j < kHeadDim / 8; ++j) {
        const float* pair = attention_.output() + 4 * j + 2 * row;
        *reinterpret_cast<float2*>(outputs[head] + 8 * j + lane_ % 4 * 2) =
            make_float2(pair[0], pair[1]);
      }
    }
  }

  /// The lane's i-th row: a query head, or null where the KV head has fewer.
  __device__ __forceinline__ const uint16_t* query_row(int i) const {
    const int head = lane_ / 4 + 8 * i;
    return head < heads_ ? params_.query + (first_head_ + head) * kHeadDim : nullptr;
  }

  __device__ __forceinline__ KvRows kv_rows(const uint16_t* first) const {
    return {first + kv_head_ * kHeadDim, params_.num_kv_heads * kHeadDim, params_.block_table};
  }

  __device__ __forceinline__ Tile key_tile(int stage) const {
    return {sm80::shared_address(shared_) +
            (warp_ * Config::kStages + stage) * Config::kStageBytes};
  }
  __device__ __forceinline__ Tile value_tile(int stage) const {
    return {key_tile(stage).base + Config::kTileBytes};
  }

  const DecodeKernelParams& params_;
  uint8_t* shared_;
  int warp_;
  int lane_;
  int kv_head_;
  int first_head_;
  int heads_;
  int kv_len_;
  Warp attention_;
};

/// Grid: (max_splits, num_kv_heads * head_tiles).
template <class Config>
__global__ void __launch_bounds__(Config::kThreads, Config::kBlocksPerMultiprocessor)
    decode_split_kernel(const __grid_constant__ DecodeKernelParams params) {
  extern __shared__ __align__(1024) uint8_t shared[];
  let_next_kernel_start();
  wait_for_previous_kernel();
  SplitBlock<Config>(params, shared).run();
}

}  // namespace longview::attention
