// Tile plan and launch of one instantiation of the prefill kernel.
#pragma once

#include <algorithm>
#include <cmath>

#include "attention/dense/sm90/launch.h"
#include "attention/dense/sm90/prefill_kernel.cuh"
#include "common/cuda_error.h"
#include "common/kv_block.h"

namespace longview::attention::sm90 {

constexpr uint64_t kBf16Bytes = 2;

/// [q_len, num_heads, head_dim] as [column blocks, q_len, num_heads, 64].
template <class Config>
CUtensorMap query_map(const DensePrefillParams& params, const PrefillKernelParams& kernel,
                      const TensorMapEncoder& encoder) {
  const uint64_t head_bytes = Config::kHeadDim * kBf16Bytes;
  return encoder.encode({params.query,
                         {Config::kColumnBlock, static_cast<uint64_t>(params.num_heads),
                          static_cast<uint64_t>(params.q_len), Config::kColumnBlocks},
                         {head_bytes, head_bytes * params.num_heads, Config::kRowBytes},
                         {Config::kColumnBlock, static_cast<uint32_t>(kernel.tile_heads),
                          static_cast<uint32_t>(kernel.tile_positions), 1}});
}

/// Rows of [num_kv_heads, head_dim] as [blocks, num_kv_heads, column blocks, tokens, 64], in which
/// the first `block_tokens` of each block exist.
template <class Config>
CUtensorMap kv_map(const void* data, const DensePrefillParams& params, int blocks,
                   uint64_t block_tokens, const TensorMapEncoder& encoder) {
  const uint64_t head_bytes = Config::kHeadDim * kBf16Bytes;
  const uint64_t row_bytes = head_bytes * params.num_kv_heads;
  return encoder.encode(
      {data,
       {Config::kColumnBlock, block_tokens, Config::kColumnBlocks,
        static_cast<uint64_t>(params.num_kv_heads), static_cast<uint64_t>(blocks)},
       {row_bytes, Config::kRowBytes, head_bytes, row_bytes * KV_BLOCK_TOKENS},
       {Config::kColumnBlock, Config::kTileN, Config::kColumnBlocks, 1, 1}});
}

template <class Config>
KvMaps kv_maps(const void* data, const DensePrefillParams& params,
               const TensorMapEncoder& encoder) {
  const int used_blocks = kv_blocks(params.kv_len);
  const int blocks = params.block_table == nullptr ? used_blocks : params.pool_blocks;
  const int last_tokens = params.kv_len - (used_blocks - 1) * KV_BLOCK_TOKENS;
  return {kv_map<Config>(data, params, blocks, KV_BLOCK_TOKENS, encoder),
          kv_map<Config>(data, params, blocks, last_tokens, encoder)};
}

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
  static_assert(sizeof(SharedStorage<Config>) <= kMaxSharedBytes);
  PrefillKernelParams kernel{};
  kernel.output = static_cast<uint16_t*>(params.output);
  kernel.q_len = params.q_len;
  kernel.num_heads = params.num_heads;
  kernel.kv_offset = params.kv_len - params.q_len;
  kernel.scale_log2 = params.softmax_scale * static_cast<float>(M_LOG2E);
  kernel.next_tile = device.next_tile.data();
  plan_rows<Config>(params, kernel);
  plan_order<Config>(params, device.l2_bytes, kernel);
  kernel.query = query_map<Config>(params, kernel, device.encoder);
  kernel.key = kv_maps<Config>(params.key, params, device.encoder);
  kernel.value = kv_maps<Config>(params.value, params, device.encoder);
  kernel.block_table = params.block_table;
  kernel.last_block = kv_blocks(params.kv_len) - 1;

  const auto entry = dense_prefill_kernel<Config>;
  LONGVIEW_CUDA(cudaFuncSetAttribute(entry, cudaFuncAttributeMaxDynamicSharedMemorySize,
                                     sizeof(SharedStorage<Config>)));
  const int blocks = std::min(kernel.num_tiles, device.multiprocessors);
  entry<<<blocks, Config::kThreads, sizeof(SharedStorage<Config>), stream>>>(kernel);
  LONGVIEW_CUDA(cudaGetLastError());
}

}  // namespace longview::attention::sm90
