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

template <class Config>
__global__ void __launch_bounds__(Config::kThreads, 1)
    sparse_prefill_kernel(const __grid_constant__ SparseKernelParams params) {
  run_block<Config, SparseWork<Config>, SparseLoader<Config>>(params);
}

/// [num_heads, capacity, head_dim] as [1, num_heads, column blocks, capacity, 64]: one block of a
/// pool in which every head has keys of its own.
inline CUtensorMap column_map(const void* data, const SparseCall& call, const KvBox& box,
                              const TensorMapEncoder& encoder) {
  const uint64_t num_heads = call.params.num_heads;
  const uint64_t capacity = call.columns.capacity;
  const uint64_t row_bytes = call.params.head_dim * kBf16Bytes;
  return encoder.encode({data,
                         {kMapColumns, capacity,
                          static_cast<uint64_t>(call.params.head_dim / kMapColumns), num_heads, 1},
                         {row_bytes, kMapColumns * kBf16Bytes, row_bytes * capacity,
                          row_bytes * capacity * num_heads},
                         {kMapColumns, box.tokens, box.column_blocks, 1, 1}});
}

template <class Config>
void launch(const SparseCall& call, const PrefillDevice& device, cudaStream_t stream) {
  constexpr int kSharedBytes = sizeof(typename SparseLoader<Config>::Shared);
  static_assert(kSharedBytes <= kMaxSharedBytes);
  const DensePrefillParams& params = call.params;
  const KvBox box{kSelectionBlockKeys, 1};
  SparseKernelParams kernel{};
  kernel.query = query_map(params, kSelectionTileRows, 1, device.encoder);
  kernel.key = kv_maps(params.key, params, box, device.encoder);
  kernel.value = kv_maps(params.value, params, box, device.encoder);
  kernel.visible_columns = call.columns.visible;
  if (call.columns.visible != nullptr) {
    kernel.column_key = column_map(call.columns.key, call, box, device.encoder);
    kernel.column_value = column_map(call.columns.value, call, box, device.encoder);
  }
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

  const auto entry = sparse_prefill_kernel<Config>;
  LONGVIEW_CUDA(
      cudaFuncSetAttribute(entry, cudaFuncAttributeMaxDynamicSharedMemorySize, kSharedBytes));
  const int blocks = std::min(kernel.num_tiles, device.multiprocessors);
  entry<<<blocks, Config::kThreads, kSharedBytes, stream>>>(kernel);
  LONGVIEW_CUDA(cudaGetLastError());
}

}  // namespace longview::attention::sm90
