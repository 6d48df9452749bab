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

  /// What is added to the sums of the thread's first item, but for the residual stream: biases.
  /// Nothing of the step is waited for.
  __device__ float2 bias_of(Phase phase, int layer) const {
    const int own_item = static_cast<int>(threadIdx.x);
    return own_item < ProductShare(shape_of(phase)).items
               ? bias_of(phase, layer, ProductShare::item(own_item))
               : float2{};
  }

  /// The block's items of one product; `staged` is its input, `bias` the thread's.
  __device__ void run(Phase phase, int layer, MemoryRing& ring, const uint2* staged,
                      float2 bias) const {
    const ProductShape& shape = shape_of(phase);
    const ProductShare share(shape);
    const int own_item = static_cast<int>(threadIdx.x);
    sum_tiles(ring, context_.first_stage(layer, phase), shape, share, staged);
    sync_warps();
    for (int i = own_item; i < share.items; i += PersistentConfig::kThreads) {
      float2 sums = i == own_item ? bias : bias_of(phase, layer, ProductShare::item(i));
      sums.x += row_sum(i * shape.item_rows);
      if (shape.item_rows == 2) sums.y += row_sum(2 * i + 1);
      finish(phase, layer, i, sums);
    }
    context_.announce(params_, message_of(phase));
  }

  static __device__ Message message_of(Phase phase) {
    if (phase == Phase::kQkv) return Message::kQkv;
    if (phase == Phase::kOutput) return Message::kHidden;
    return phase == Phase::kGateUp ? Message::kActivation : Message::kNextHidden;
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

  __device__ float2 bias_of(Phase phase, int layer, int item) const {
    const float* bias = context_.layer(layer).qkv_bias;
    if (phase != Phase::kQkv || bias == nullptr) return {};
    return {bias[row_of(item, 0)], bias[row_of(item, 1)]};
  }

  /// Sends what becomes of the sums of the block's item `i`.
  __device__ void finish(Phase phase, int layer, int i, float2 sums) const {
    const Exchange& exchange = context_.exchange;
    const int item = ProductShare::item(i);
    const uint32_t tag = exchange.tag(layer);
    if (phase == Phase::kQkv) {
      finish_pair(layer, item, sums);
    } else if (phase == Phase::kGateUp) {
      send(exchange.activation + item, __float2bfloat16_rn(silu(sums.x) * sums.y), tag);
    } else {
      const bool is_last = phase == Phase::kDown;
      const __nv_bfloat16 value = __float2bfloat16_rn(sums.x + context_.own_hidden[i]);
      send(exchange.hidden + item, value, tag + (is_last ? 1 : 0));
      context_.own_hidden[i] = __bfloat162float(value);
      if (is_last && layer + 1 == params_.layer_count) {
        static_cast<__nv_bfloat16*>(params_.hidden)[item] = value;
      }
    }
  }

  /// A pair of a head of q or k, turned, or two elements of a head of v.
  __device__ void finish_pair(int layer, int item, float2 sums) const {
    const RopeKvParams& rope = params_.rope;
    const Exchange& exchange = context_.exchange;
    const int head = item / (kHeadDim / 2);
    const int kv_head = head - rope.num_heads;
    const bool is_value = kv_head >= rope.num_kv_heads;
    if (!is_value) {
      const int pair = item % (kHeadDim / 2);
      sums = rotated(sums, context_.cosines[pair], context_.sines[pair]);
    }
    TaggedHalf* to =
        kv_head < 0 ? exchange.query + head * kHeadDim : exchange.own_kv + kv_head * kHeadDim;
    const __nv_bfloat16 values[] = {__float2bfloat16_rn(sums.x), __float2bfloat16_rn(sums.y)};
    send(to + element_of(item, 0), values[0], exchange.tag(layer));
    send(to + element_of(item, 1), values[1], exchange.tag(layer));
    if (kv_head < 0) return;
    void* pool = is_value ? context_.layer(layer).value_pool : context_.layer(layer).key_pool;
    const int64_t row = context_.own_row * rope.num_kv_heads + kv_head % rope.num_kv_heads;
    auto* cached = static_cast<__nv_bfloat16*>(pool) + row * kHeadDim;
    cached[element_of(item, 0)] = values[0];
    cached[element_of(item, 1)] = values[1];
  }

  /// Where in its head the pair's element i lies.
  __device__ int element_of(int item, int i) const {
    const int pair = item % (kHeadDim / 2);
    return params_.rope.pairs == RopePairs::kHalves ? pair + i * (kHeadDim / 2) : 2 * pair + i;
  }

  __device__ int row_of(int item, int i) const {
    return item / (kHeadDim / 2) * kHeadDim + element_of(item, i);
  }

  __device__ const ProductShape& shape_of(Phase phase) const {
    return params_.shapes[static_cast<int>(phase)];
  }

  const PersistentParams& params_;
  StepContext<kHeadDim>& context_;
};

}  // namespace longview::decoder
