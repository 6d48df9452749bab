// Tile plan and launch of one instantiation of the prefill kernel.
#pragma once

#include <algorithm>
#include <cmath>

#include "attention/dense/sm90/launch.h"
#include "attention/dense/sm90/prefill_kernel.cuh"
#include "attention/dense/sm90/tensor_maps.h"
#include "common/cuda_error.h"

namespace longview::attention::sm90 {

/// Rows of a tile. Heads of a KV head are packed into one tile when there are too few positions to
/// fill tiles without; otherwise packing only costs rows, for 128 is no multiple of 6 or 7.
template <class Config>
void plan_rows(const DensePrefillParams& params, PrefillKernelParams& kernel) {
  const int heads_per_kv_head = params.num_heads / params.num_kv_heads;
  const int packed_positions = Config::kTileM / heads_per_kv_head;
  const auto tiles = [&](int positions, int heads) {
    return static_cast<int64_t>((params.q_len + positions - 1) / positions) *
           (heads_per_kv_head / heads);
  };
  const bool pack = tiles(packed_positions, heads_per_kv_head) < tiles(Config::kTileM, 1);
  kernel.tile_heads = pack ? heads_per_kv_head : 1;
  kernel.tile_positions = pack ? packed_positions : Config::kTileM;
}

template <class Config>
void plan_order(const DensePrefillParams& params, int l2_bytes, PrefillKernelParams& kernel) {
  kernel.position_tiles = (params.q_len + kernel.tile_positions - 1) / kernel.tile_positions;
  kernel.head_tiles = params.num_heads / kernel.tile_heads;
  kernel.head_tiles_per_kv_head = kernel.head_tiles / params.num_kv_heads;
  kernel.num_tiles = kernel.position_tiles * kernel.head_tiles;
  // Half of L2, for the two halves of the chip keep copies of what both read.
  const int64_t kv_head_bytes = int64_t{2 * kBf16Bytes} * params.kv_len * params.head_dim;
  const int64_t kv_heads =
      std::clamp<int64_t>(l2_bytes / 2 / kv_head_bytes, 1, params.num_kv_heads);
  kernel.section_head_tiles = static_cast<int>(kv_heads) * kernel.head_tiles_per_kv_head;
}

template <class Config>
void launch(const DensePrefillParams& params, const PrefillDevice& device, cudaStream_t stream) {
  constexpr int kSharedBytes = sizeof(SharedStorage<Config, DenseTicket>);
  static_assert(kSharedBytes <= kMaxSharedBytes);
  PrefillKernelParams kernel{};
  kernel.output = static_cast<uint16_t*>(params.output);
  kernel.q_len = params.q_len;
  kernel.num_heads = params.num_heads;
  kernel.kv_offset = params.kv_len - params.q_len;
  kernel.scale_log2 = params.softmax_scale * static_cast<float>(M_LOG2E);
  kernel.next_tile = device.next_tile.data();
  plan_rows<Config>(params, kernel);
  plan_order<Config>(params, device.l2_bytes, kernel);
  const KvBox box{Config::kTileN, Config::kColumnBlocks};
  kernel.query = query_map(params, kernel.tile_positions, kernel.tile_heads, device.encoder);
  kernel.key = kv_maps(params.key, params, box, device.encoder);
  kernel.value = kv_maps(params.value, params, box, device.encoder);
  kernel.block_table = params.block_table;
  kernel.last_block = kv_blocks(params.kv_len) - 1;

  const auto entry = dense_prefill_kernel<Config>;
  LONGVIEW_CUDA(
      cudaFuncSetAttribute(entry, cudaFuncAttributeMaxDynamicSharedMemorySize, kSharedBytes));
  const int blocks = std::min(kernel.num_tiles, device.multiprocessors);
  entry<<<blocks, Config::kThreads, kSharedBytes, stream>>>(kernel);
  LONGVIEW_CUDA(cudaGetLastError());
}

}  // namespace longview::attention::sm90
