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
                      const uint4* staged) const {
    const ProductShape& shape = params_.shapes[static_cast<int>(phase)];
    const ProductShare share(shape);
    float2 addend{};
    const int own_item = static_cast<int>(threadIdx.x);
    if (own_item < share.items) addend = addend_of(phase, layer, ProductShare::item(own_item));
    sum_parts(ring, stage, shape, share, staged);
    sync_warps();
    for (int i = own_item; i < share.items; i += PersistentConfig::kThreads) {
      const int item = ProductShare::item(i);
      if (i != own_item) addend = addend_of(phase, layer, item);
      const float4* sums = context_.part_sums + 2 * i * shape.item_rows * shape.parts;
      addend.x += added_up(sums, 2 * shape.parts);
      if (shape.item_rows == 2) addend.y += added_up(sums + 2 * shape.parts, 2 * shape.parts);
      finish(phase, layer, item, addend);
    }
  }

 private:
  static __device__ float added_up(const float4* sums, int count) {
    float total = 0.f;
    for (int i = 0; i < count; ++i) total += (sums[i].x + sums[i].y) + (sums[i].z + sums[i].w);
    return total;
  }

  /// Leaves the sums of each part in the context.
  __device__ void sum_parts(MemoryRing& ring, int stage, const ProductShape& shape,
                            const ProductShare& share, const uint4* staged) const {
    const int lane = static_cast<int>(threadIdx.x) % kWarpThreads;
    const int part_vectors = shape.part_bytes / 16;
#pragma unroll 1
    for (int unit = static_cast<int>(threadIdx.x) / kWarpThreads; unit < share.parts;
         unit += PersistentConfig::kWarps) {
      const int part = unit - (unit * shape.parts_inverse >> 16) * shape.parts;
      const int vectors = min(part_vectors, shape.row_bytes / 16 - part * part_vectors);
      const auto* weights = reinterpret_cast<const uint4*>(ring.acquire(stage + unit));
      auto* sums = reinterpret_cast<float*>(context_.part_sums + 2 * unit);
      sum_part(weights + lane, staged + part * part_vectors + lane, vectors, sums);
      ring.release(stage + unit);
    }
  }

  /// Eight sums of one part, by mma.sync: row g of A holds the weights of the lanes 4 g to 4 g + 3,
  /// column g of B their inputs, and the diagonal of the result their sums. The other elements mean
  /// nothing; so much more arithmetic costs less than taking bf16 apart does. Weights and input
  /// begin at the lane's.
  __device__ static void sum_part(const uint4* weights, const uint4* input, int vectors,
                                  float* sums) {
    float results[2][4] = {};
    const auto multiply = [&](const uint4& w, const uint4& x) {
      const uint32_t low[4] = {w.x, 0, w.y, 0};
      const uint32_t high[4] = {w.z, 0, w.w, 0};
      sm80::multiply_add(results[0], low, x.x, x.y);
      sm80::multiply_add(results[1], high, x.z, x.w);
    };
    const int whole = vectors / kWarpThreads * kWarpThreads;
#pragma unroll 4
    for (int at = 0; at < whole; at += kWarpThreads) multiply(weights[at], input[at]);
    if (whole < vectors) {
      const bool exists = whole + static_cast<int>(threadIdx.x) % kWarpThreads < vectors;
      multiply(exists ? weights[whole] : uint4{}, exists ? input[whole] : uint4{});
    }
    const int row = static_cast<int>(threadIdx.x) % kWarpThreads / 4;
    const int first_column = static_cast<int>(threadIdx.x) % 4 * 2;
    if (row / 2 * 2 != first_column) return;
    sums[row] = row % 2 == 0 ? results[0][0] + results[1][0] : results[0][1] + results[1][1];
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
