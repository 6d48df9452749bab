// What every part of the persistent kernel asks again and again, kept in shared memory: a load that
// misses the caches waits behind all the weights that are under way.
#pragma once

#include <cstdint>

#include "common/kv_block.h"
#include "common/sm90/barrier.cuh"
#include "decoder/ops/rope/rotation.cuh"
#include "decoder/ops/warp.cuh"
#include "decoder/persistent/config.h"
#include "decoder/persistent/exchange.cuh"
#include "decoder/persistent/params.h"

namespace longview::decoder {

/// Waits for all warps that compute.
__device__ inline void sync_warps() { sm90::named_barrier_sync(1, PersistentConfig::kThreads); }

/// The keys that one block attends to: slices `begin` to `end` of one KV head; none where `split`
/// is not below `splits`.
template <int kHeadDim>
struct KeyShare {
  static constexpr int kSliceKeys = PersistentConfig::kSliceBytes / (2 * kHeadDim);
  static constexpr int kMinSlices = 4;  // of a split: below, more splits bring nothing

  /// `cached` keys lie in the pool: those of all tokens but the step's own.
  __device__ KeyShare(int cached, int num_kv_heads) : cached(cached) {
    const int slices = (cached + kSliceKeys - 1) / kSliceKeys;
    const int limit = static_cast<int>(gridDim.x) / num_kv_heads;
    splits = min((slices + kMinSlices - 1) / kMinSlices, limit);
    kv_head = static_cast<int>(blockIdx.x) % num_kv_heads;
    split = static_cast<int>(blockIdx.x) / num_kv_heads;
    const bool is_idle = split >= splits;
    begin = is_idle ? 0 : static_cast<int>(int64_t{slices} * split / splits);
    end = is_idle ? 0 : static_cast<int>(int64_t{slices} * (split + 1) / splits);
  }

  __device__ int slices() const { return end - begin; }
  /// Stages of the ring that hold keys, and as many hold values.
  __device__ int groups() const {
    return (slices() + PersistentConfig::kStageSlices - 1) / PersistentConfig::kStageSlices;
  }
  __device__ int first_block() const { return begin * kSliceKeys / KV_BLOCK_TOKENS; }

  int cached;
  int splits;
  int split;
  int kv_head;
  int begin;
  int end;
};

/// A block's share of a product: items blockIdx.x, + gridDim.x, ..., so that each multiprocessor
/// has as many; their rows are cut into tiles of kTileRows, the last of which may be smaller.
struct ProductShare {
  __device__ explicit ProductShare(const ProductShape& shape)
      : items((shape.items - static_cast<int>(blockIdx.x) + static_cast<int>(gridDim.x) - 1) /
              static_cast<int>(gridDim.x)),
        rows(items * shape.item_rows) {}

  /// The product's number of the block's item `i`.
  static __device__ int item(int i) { return static_cast<int>(blockIdx.x + i * gridDim.x); }

  __device__ int tiles() const {
    return (rows + PersistentConfig::kTileRows - 1) / PersistentConfig::kTileRows;
  }

  int items;
  int rows;
};

/// In shared memory; the layers follow.
template <int kHeadDim>
struct StepContext {
  KeyShare<kHeadDim> share;
  float cosines[kHeadDim / 2];  // of the step's position
  float sines[kHeadDim / 2];
  int64_t own_row;                                    // of the step's K and V in the pools
  int32_t blocks[PersistentConfig::kMaxSplitBlocks];  // of the block's share of the keys
  int stages[kPhases];                                // of the ring, of the block in each phase
  int first_stages[kPhases];                          // within its layer's
  int layer_stages;
  uint32_t first_layer;  // counted from the first step
  Exchange exchange;
  /// The block's share of the residual stream, which it alone adds to.
  float own_hidden[PersistentConfig::kMaxRows];
  /// Of the product under way: what each warp's columns of each row come to.
  float row_sums[PersistentConfig::kMaxRows][PersistentConfig::kWarps];

  __device__ PersistentLayer* layers() { return reinterpret_cast<PersistentLayer*>(this + 1); }
  __device__ const PersistentLayer& layer(int i) const {
    return reinterpret_cast<const PersistentLayer*>(this + 1)[i];
  }

  /// Filled by all threads of the block.
  __device__ void fill(const PersistentParams& params, const KeyShare<kHeadDim>& share) {
    constexpr int kThreads = PersistentConfig::kBlockThreads;
    const RopeKvParams& rope = params.rope;
    const int thread = static_cast<int>(threadIdx.x);
    const int64_t angle = int64_t{share.cached} * (kHeadDim / 2);
    for (int i = thread; i < kHeadDim / 2; i += kThreads) {
      cosines[i] = rope.cos[angle + i];
      sines[i] = rope.sin[angle + i];
    }
    const int last_key = min(share.end * share.kSliceKeys, share.cached) - 1;
    for (int i = thread; share.first_block() + i <= last_key / KV_BLOCK_TOKENS && last_key >= 0;
         i += kThreads) {
      blocks[i] = rope.block_table[share.first_block() + i];
    }
    for (int i = thread; i < params.layer_count; i += kThreads) layers()[i] = params.layers[i];
    const auto* hidden = static_cast<const __nv_bfloat16*>(params.hidden);
    const ProductShare own(params.shapes[static_cast<int>(Phase::kOutput)]);
    for (int i = thread; i < own.items; i += kThreads) {
      own_hidden[i] = __bfloat162float(hidden[ProductShare::item(i)]);
    }
    if (thread == 0) {
      this->share = share;
      layer_stages = 0;
      for (int phase = 0; phase < kPhases; ++phase) {
        first_stages[phase] = layer_stages;
        stages[phase] = stages_of(static_cast<Phase>(phase), params, share);
        layer_stages += stages[phase];
      }
      own_row = pool_row(rope.block_table, share.cached);
      exchange = Exchange(params, share.splits);
      first_layer = Exchange::steps(params) * params.layer_count;
      exchange.first_tag = 2 * first_layer + 1;
    }
    __syncthreads();
  }

  /// Tells the others that the block has sent its part of a message, if it has any; all warps that
  /// compute take part. It may be known before the message can be read: tags say when that is.
  __device__ void announce(const PersistentParams& params, Message message) const {
    sync_warps();
    if (threadIdx.x != 0) return;
    asm volatile(
        "red.relaxed.gpu.global.add.u32 [%0], 1;" ::"l"(Exchange::arrivals(params, message))
        : "memory");
  }

  /// Waits until all blocks have announced a layer's message.
  __device__ void await(const PersistentParams& params, Message message, int layer) const {
    if (threadIdx.x == 0) {
      const uint32_t* arrivals = Exchange::arrivals(params, message);
      const uint32_t expected = (first_layer + layer + 1) * gridDim.x;
      uint32_t count;
      do {
        asm volatile("ld.relaxed.gpu.global.u32 %0, [%1];"
                     : "=r"(count)
                     : "l"(arrivals)
                     : "memory");
      } while (static_cast<int32_t>(count - expected) < 0);
    }
    sync_warps();
  }

  /// The first stage of a phase, counted from the start of the step.
  __device__ int first_stage(int layer, Phase phase) const {
    return layer * layer_stages + first_stages[static_cast<int>(phase)];
  }

  /// The pool row of a token of the block's share.
  __device__ int64_t row_of(int token) const {
    const int block = blocks[token / KV_BLOCK_TOKENS - share.first_block()];
    return int64_t{block} * KV_BLOCK_TOKENS + token % KV_BLOCK_TOKENS;
  }

 private:
  static __device__ int stages_of(Phase phase, const PersistentParams& params,
                                  const KeyShare<kHeadDim>& share) {
    if (phase == Phase::kAttention) return 2 * share.groups();
    const ProductShape& shape = params.shapes[static_cast<int>(phase)];
    return ProductShare(shape).tiles() * shape.pieces;
  }
};

}  // namespace longview::decoder
