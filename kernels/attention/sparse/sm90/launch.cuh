// Launch of one instantiation of the sm_90a kernel of sparse prefill.
#pragma once

#include <algorithm>
#include <cmath>

#include "attention/dense/sm90/prefill_kernel.cuh"
#include "attention/dense/sm90/tensor_maps.h"
#include "attention/sparse/sm90/launch.h"
#include "attention/sparse/sm90/loader.cuh"
#include "common/cuda_error.h"

namespace longview::attention::sm90 {

template <class Config, bool kAverages>
__global__ void __launch_bounds__(Config::kThreads, 1)
    sparse_prefill_kernel(const __grid_constant__ SparseKernelParams params) {
  run_block<Config, SparseWork<Config, kAverages>, SparseLoader<Config, kAverages>>(params);
}

/// Rows that lie outside the pool: `rows` for each of `heads`, a row `row_bytes` behind the one
/// before, a head `head_bytes` behind.
struct RowsBeside {
  uint64_t rows;
  uint64_t heads;
  uint64_t row_bytes;
  uint64_t head_bytes;
};

/// The same as [1, heads, column blocks, rows, 64]: one block of a pool.
inline CUtensorMap beside_map(const void* data, const RowsBeside& beside, int head_dim,
                              const KvBox& box, const TensorMapEncoder& encoder) {
  return encoder.encode(
      {data,
       {kMapColumns, beside.rows, static_cast<uint64_t>(head_dim / kMapColumns), beside.heads, 1},
       {beside.row_bytes, kMapColumns * kBf16Bytes, beside.head_bytes,
        beside.row_bytes * beside.rows},
       {kMapColumns, box.tokens, box.column_blocks, 1, 1}});
}

inline void set_columns(SparseKernelParams& kernel, const SparseCall& call, const KvBox& box,
                        const TensorMapEncoder& encoder) {
  const uint64_t row_bytes = call.params.head_dim * kBf16Bytes;
  const uint64_t capacity = call.columns.capacity;
  const RowsBeside beside{capacity, static_cast<uint64_t>(call.params.num_heads), row_bytes,
                          row_bytes * capacity};
  kernel.beside_key = beside_map(call.columns.key, beside, call.params.head_dim, box, encoder);
  kernel.beside_value = beside_map(call.columns.value, beside, call.params.head_dim, box, encoder);
  kernel.visible_columns = call.columns.visible;
}

inline void set_averages(SparseKernelParams& kernel, const SparseCall& call, const KvBox& box,
                         const TensorMapEncoder& encoder) {
  const uint64_t head_bytes = call.params.head_dim * kBf16Bytes;
  const RowsBeside beside{static_cast<uint64_t>(selection_blocks(call.params.kv_len)),
                          static_cast<uint64_t>(call.params.num_kv_heads),
                          head_bytes * call.params.num_kv_heads, head_bytes};
  kernel.beside_key = beside_map(call.averages.key, beside, call.params.head_dim, box, encoder);
  kernel.beside_value = beside_map(call.averages.value, beside, call.params.head_dim, box, encoder);
  kernel.dropped = call.averages.dropped;
  kernel.dropped_pitch = dropped_pitch(call.params.kv_len);
  kernel.average_bias = std::log2(static_cast<float>(kSelectionBlockKeys)) / kernel.scale_log2;
}

template <class Config, bool kAverages>
void enqueue(const SparseKernelParams& kernel, int multiprocessors, cudaStream_t stream) {
  constexpr int kSharedBytes = sizeof(typename SparseLoader<Config, kAverages>::Shared);
  static_assert(kSharedBytes <= kMaxSharedBytes);
  const auto entry = sparse_prefill_kernel<Config, kAverages>;
  LONGVIEW_CUDA(
      cudaFuncSetAttribute(entry, cudaFuncAttributeMaxDynamicSharedMemorySize, kSharedBytes));
  const int blocks = std::min(kernel.num_tiles, multiprocessors);
  entry<<<blocks, Config::kThreads, kSharedBytes, stream>>>(kernel);
  LONGVIEW_CUDA(cudaGetLastError());
}

template <class Config>
void launch(const SparseCall& call, const PrefillDevice& device, cudaStream_t stream) {
  const DensePrefillParams& params = call.params;
  const KvBox box{kSelectionBlockKeys, 1};
  SparseKernelParams kernel{};
  kernel.query = query_map(params, kSelectionTileRows, 1, device.encoder);
  kernel.key = kv_maps(params.key, params, box, device.encoder);
  kernel.value = kv_maps(params.value, params, box, device.encoder);
  kernel.output = static_cast<uint16_t*>(params.output);
  kernel.block_table = params.block_table;
  kernel.last_block = kv_blocks(params.kv_len) - 1;
  kernel.lists = call.lists;
  kernel.order = call.order;
  kernel.next_tile = device.next_tile.data();
  kernel.num_tiles = params.num_heads * call.lists.tiles;
  kernel.q_len = params.q_len;
  kernel.num_heads = params.num_heads;
  kernel.heads_per_kv_head = params.num_heads / params.num_kv_heads;
  kernel.kv_offset = params.kv_len - params.q_len;
  kernel.scale_log2 = params.softmax_scale * static_cast<float>(M_LOG2E);
  if (call.averages.dropped != nullptr) {
    set_averages(kernel, call, box, device.encoder);
    enqueue<Config, true>(kernel, device.multiprocessors, stream);
  } else {
    if (call.columns.visible != nullptr) set_columns(kernel, call, box, device.encoder);
    enqueue<Config, false>(kernel, device.multiprocessors, stream);
  }
}

}  // namespace longview::attention::sm90
