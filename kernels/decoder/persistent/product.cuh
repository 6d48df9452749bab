// The products of the persistent kernel: the warp's rows times the staged input, and what becomes
// of the sums.
#pragma once

#include <cuda_bf16.h>

#include "decoder/persistent/memory_ring.cuh"

namespace longview::decoder {

template <int kHeadDim>
class Products {
 public:
  __device__ Products(const PersistentParams& params, StepContext<kHeadDim>& context)
      : params_(params), context_(context) {}

  /// The block's items of one product, whose first stage in the ring is `stage`; `staged` is its
  /// input.
  __device__ void run(Phase phase, int layer, MemoryRing& ring, int stage,
                      const uint2* staged) const {
    const ProductShape& shape = params_.shapes[static_cast<int>(phase)];
    const ProductShare share(shape);
    float2 addend{};
    const int own_item = static_cast<int>(threadIdx.x);
    if (own_item < share.items) addend = addend_of(phase, layer, ProductShare::item(own_item));
    sum_tiles(ring, stage, shape, share, staged);
    sync_warps();
    for (int i = own_item; i < share.items; i += PersistentConfig::kThreads) {
      const int item = ProductShare::item(i);
      if (i != own_item) addend = addend_of(phase, layer, item);
      addend.x += row_sum(i * shape.item_rows);
      if (shape.item_rows == 2) addend.y += row_sum(2 * i + 1);
      finish(phase, layer, item, addend);
    }
  }

 private:
  using Config = PersistentConfig;
  static constexpr int kWarps = Config::kWarps;
  static constexpr int kStepBytes = 2 * Config::kStepColumns;

  __device__ float row_sum(int row) const {
    float total = 0.f;
#pragma unroll
    for (const float of_warp : context_.row_sums[row]) total += of_warp;
    return total;
  }

  /// Leaves in the context what the warp's columns of each row come to. Steps of kStepColumns go to
  /// the warps in turns, so that each part of the input is read once in a tile.
  __device__ void sum_tiles(MemoryRing& ring, int stage, const ProductShape& shape,
                            const ProductShare& share, const uint2* staged) const {
    const int lane = static_cast<int>(threadIdx.x) % kWarpThreads;
    const int warp = static_cast<int>(threadIdx.x) / kWarpThreads;
    const int piece_steps = shape.piece_bytes / kStepBytes;
    // Of the operands of a step: the lane's row and half in memory, and its part of the input.
    const uint32_t row_offset =
        lane % 16 * Config::kPiecePitch + lane / 16 * 16 + warp * kStepBytes;
    const uint2* own_input = staged + lane % 4 + 4 * warp;
#pragma unroll 1
    for (int row = 0; row < share.rows; row += Config::kTileRows) {
      float sums[2][4] = {};
#pragma unroll 1
      for (int piece = 0; piece < shape.pieces; ++piece, ++stage) {
        const int first = piece * piece_steps;
        const int steps = min(piece_steps, shape.columns / Config::kStepColumns - first) - warp;
        add_piece(sums, ring.acquire(stage) + row_offset, own_input + 4 * first, steps);
        ring.release(stage);
      }
      // All columns of the products are the same.
      if (lane % 4 != 0) continue;
      context_.row_sums[row + lane / 4][warp] = sums[0][0] + sums[1][0];
      context_.row_sums[row + lane / 4 + 8][warp] = sums[0][2] + sums[1][2];
    }
  }

  /// Sixteen rows times the input, which stands in each column of B: each kWarps-th of `steps`. All
  /// operands are on their way before the first is waited for.
  static __device__ void add_piece(float (&sums)[2][4], uint32_t weights, const uint2* input,
                                   int steps) {
    constexpr int kOwnSteps = Config::kMaxPieceBytes / kStepBytes / kWarps;
    uint32_t a[kOwnSteps][4];
    uint2 b[kOwnSteps];
#pragma unroll
    for (int i = 0; i < kOwnSteps; ++i) {
      if (i * kWarps >= steps) break;
      sm80::load_matrices(a[i], weights + i * kWarps * kStepBytes);
      b[i] = input[4 * i * kWarps];
    }
#pragma unroll
    for (int i = 0; i < kOwnSteps; ++i) {
      if (i * kWarps >= steps) break;
      sm80::multiply_add(sums[i % 2], a[i], b[i].x, b[i].y);
    }
  }

  /// What is added to the sums: biases, or the residual stream.
  __device__ float2 addend_of(Phase phase, int layer, int item) const {
    if (phase == Phase::kQkv) {
      const float* bias = context_.layer(layer).qkv_bias;
      if (bias == nullptr) return {};
      return {bias[row_of(item, 0)], bias[row_of(item, 1)]};
    }
    if (phase == Phase::kGateUp) return {};
    return {__bfloat162float(hidden()[item]), 0.f};
  }

  __device__ void finish(Phase phase, int layer, int item, float2 sums) const {
    if (phase == Phase::kQkv) {
      finish_pair(layer, item, sums);
    } else if (phase == Phase::kGateUp) {
      static_cast<__nv_bfloat16*>(params_.activation)[item] =
          __float2bfloat16_rn(silu(sums.x) * sums.y);
    } else {
      hidden()[item] = __float2bfloat16_rn(sums.x);
    }
  }

  /// A pair of a head of q or k, turned, or two elements of a head of v.
  __device__ void finish_pair(int layer, int item, float2 sums) const {
    const RopeKvParams& rope = params_.rope;
    const int head = item / (kHeadDim / 2);
    const int kv_head = head - rope.num_heads;
    const bool is_value = kv_head >= rope.num_kv_heads;
    auto* to = static_cast<__nv_bfloat16*>(rope.query) + head * kHeadDim;
    if (kv_head >= 0) {
      void* pool = is_value ? context_.layer(layer).value_pool : context_.layer(layer).key_pool;
      const int64_t row = context_.own_row * rope.num_kv_heads + kv_head % rope.num_kv_heads;
      to = static_cast<__nv_bfloat16*>(pool) + row * kHeadDim;
    }
    if (!is_value) {
      const int pair = item % (kHeadDim / 2);
      sums = rotated(sums, context_.cosines[pair], context_.sines[pair]);
    }
    to[element_of(item, 0)] = __float2bfloat16_rn(sums.x);
    to[element_of(item, 1)] = __float2bfloat16_rn(sums.y);
  }

  /// Where in its head the pair's element i lies.
  __device__ int element_of(int item, int i) const {
    const int pair = item % (kHeadDim / 2);
    return params_.rope.pairs == RopePairs::kHalves ? pair + i * (kHeadDim / 2) : 2 * pair + i;
  }

  __device__ int row_of(int item, int i) const {
    return item / (kHeadDim / 2) * kHeadDim + element_of(item, i);
  }

  __device__ __nv_bfloat16* hidden() const { return static_cast<__nv_bfloat16*>(params_.hidden); }

  const PersistentParams& params_;
  StepContext<kHeadDim>& context_;
};

}  // namespace longview::decoder
