// Attention of the persistent kernel, after Flash-Decoding: each block attends to a split of the
// cached keys; then the splits of a head and the step's own key are put together in a fixed order.
#pragma once

#include "attention/decode/group_attention.cuh"
#include "decoder/persistent/memory_ring.cuh"
#include "quant/decode.cuh"

namespace longview::decoder {

/// What splits leave for one another, in device memory.
template <int kHeadDim>
struct SplitResults {
  float* outputs;   // [num_heads, splits, kHeadDim], not divided by their sums
  float2* softmax;  // [num_heads, splits]: scaled maximum, sum

  __device__ SplitResults(void* workspace, int num_heads, int splits)
      : outputs(static_cast<float*>(workspace)),
        softmax(reinterpret_cast<float2*>(outputs + int64_t{1} * num_heads * splits * kHeadDim)) {}
};

/// Factor of a part with maximum `part` beside a whole with maximum `whole`.
__device__ inline float part_factor(float part, float whole) {
  return part == -INFINITY ? 0.f : attention::exp2_fast(part - whole);
}

template <int kHeadDim>
class Attention {
 public:
  using Share = KeyShare<kHeadDim>;

  __device__ Attention(const PersistentParams& params, const StepContext<kHeadDim>& context,
                       const Share& share, uint4* scratch)
      : params_(params),
        context_(context),
        rope_(params.rope),
        share_(share),
        group_heads_(params.rope.num_heads / params.rope.num_kv_heads),
        results_(params.workspace, params.rope.num_heads, share.splits),
        scratch_(reinterpret_cast<float*>(scratch)),
        scale_log2_(params.softmax_scale * 1.44269504f) {}

  /// The block's split, whose first stage in the ring is `stage`.
  __device__ void attend(MemoryRing& ring, int stage) const {
    __shared__ float2 softmax[kWarps][kMaxGroupHeads];
    if (share_.split >= share_.splits) return;
    Group group;
    group.load_query(query_row(lane() / 4));
    const int slices = share_.slices();
#pragma unroll 1
    for (int first = 0; first < slices; first += kStageSlices, stage += 2) {
      // Slices go to the warps in turns.
      const int own = (warp() + kWarps - first % kWarps) % kWarps;
      const bool has_own = own < min(kStageSlices, slices - first);
      const int start = (share_.begin + first + own) * Share::kSliceKeys;
      const uint32_t offset = own * PersistentConfig::kSliceBytes;
      const uint32_t keys = ring.acquire(stage) + offset;
      if (has_own) group.score(Tile{keys});
      ring.release(stage);
      if (has_own) {
        if (start + Share::kSliceKeys > share_.cached) group.mask(start, share_.cached);
        group.soften(scale_log2_);
      }
      const uint32_t values = ring.acquire(stage + 1) + offset;
      if (has_own) group.accumulate(Tile{values});
      ring.release(stage + 1);
    }
    meet(group, softmax);
  }

  /// Puts the splits together: each block some heads' columns, kColumns at a time.
  __device__ void combine(int layer) const {
    const int columns = rope_.num_heads * kHeadDim;
#pragma unroll 1
    for (int first = blockIdx.x * kColumns; first < columns; first += gridDim.x * kColumns) {
      combine_columns(context_.layer(layer), first / kHeadDim, first % kHeadDim);
    }
  }

 private:
  static constexpr int kWarps = PersistentConfig::kWarps;
  static constexpr int kStageSlices = PersistentConfig::kStageSlices;
  static constexpr int kMergeWarps = PersistentConfig::kMergeWarps;
  static constexpr int kMaxGroupHeads = PersistentConfig::kMaxGroupHeads;

  using Tile = sm80::SwizzledTile<kHeadDim>;
  using Group = attention::GroupAttention<kHeadDim, Share::kSliceKeys>;

  /// Of half the warps: [kMergeWarps, kHeadDim, kMaxGroupHeads], two heads an element.
  __device__ float2* rooms() const { return reinterpret_cast<float2*>(scratch_); }

  static __device__ int lane() { return static_cast<int>(threadIdx.x) % kWarpThreads; }
  static __device__ int warp() { return static_cast<int>(threadIdx.x) / kWarpThreads; }

  __device__ int first_head() const { return share_.kv_head * group_heads_; }

  __device__ const uint16_t* query_row(int head) const {
    if (head >= group_heads_) return nullptr;
    return static_cast<const uint16_t*>(rope_.query) + (first_head() + head) * kHeadDim;
  }

  /// Puts the warps' results together: the second half's into the first half's, then all.
  __device__ void meet(const Group& own, float2 (*softmax)[kMaxGroupHeads]) const {
    const int heads = lane() % 4 * 2;
    float2* room =
        rooms() + ((warp() % kMergeWarps * kHeadDim + lane() / 4) * kMaxGroupHeads + heads) / 2;
    float2 of_heads[2] = {{own.maximum(0), own.sum(0)}, {own.maximum(1), own.sum(1)}};
    if (warp() >= kMergeWarps) {
      leave(own, room, {1.f, 1.f}, {0.f, 0.f});
      if (lane() < 4) softmax[warp()][heads] = of_heads[0];
      if (lane() < 4) softmax[warp()][heads + 1] = of_heads[1];
    }
    sync_warps();
    if (warp() < kMergeWarps) {
      float own_factors[2];
      float room_factors[2];
#pragma unroll
      for (int i = 0; i < 2; ++i) {
        const float2 other = softmax[warp() + kMergeWarps][heads + i];
        const float maximum = fmaxf(of_heads[i].x, other.x);
        own_factors[i] = part_factor(of_heads[i].x, maximum);
        room_factors[i] = part_factor(other.x, maximum);
        const float sum = own_factors[i] * of_heads[i].y + room_factors[i] * other.y;
        if (lane() < 4) softmax[warp()][heads + i] = {maximum, sum};
      }
      leave(own, room, {own_factors[0], own_factors[1]}, {room_factors[0], room_factors[1]});
    }
    sync_warps();
    for (int i = threadIdx.x; i < kMaxGroupHeads * kHeadDim; i += kWarps * kWarpThreads) {
      if (i % kMaxGroupHeads < group_heads_)
        add_up(i % kMaxGroupHeads, i / kMaxGroupHeads, softmax);
    }
  }

  /// room = own * own_factors + room * room_factors, for the lane's elements; what lies in the room
  /// is not used where its factor is 0.
  __device__ static void leave(const Group& own, float2* room, float2 own_factors,
                               float2 room_factors) {
#pragma unroll
    for (int j = 0; j < kHeadDim / 8; ++j) {
      float2* pair = room + j * 8 * kMaxGroupHeads / 2;
      float2 value = {own.output()[2 * j] * own_factors.x, own.output()[2 * j + 1] * own_factors.y};
      if (room_factors.x != 0.f) value.x += pair->x * room_factors.x;
      if (room_factors.y != 0.f) value.y += pair->y * room_factors.y;
      *pair = value;
    }
  }

  __device__ void add_up(int head, int column, const float2 (*softmax)[kMaxGroupHeads]) const {
    float maximum = -INFINITY;
#pragma unroll
    for (int w = 0; w < kMergeWarps; ++w) maximum = fmaxf(maximum, softmax[w][head].x);
    float output = 0.f;
    float sum = 0.f;
#pragma unroll
    for (int w = 0; w < kMergeWarps; ++w) {
      const float factor = part_factor(softmax[w][head].x, maximum);
      output += factor * scratch_[(w * kHeadDim + column) * kMaxGroupHeads + head];
      sum += factor * softmax[w][head].y;
    }
    const int64_t part = int64_t{first_head() + head} * share_.splits + share_.split;
    results_.outputs[part * kHeadDim + column] = output;
    if (column == 0) results_.softmax[part] = make_float2(maximum, sum);
  }

  static constexpr int kColumns = 16;
  static constexpr int kColumnGroups = kWarpThreads / kColumns;
  static constexpr int kParts = kWarps * kColumnGroups;  // of the splits of a head
  static constexpr int kAtOnce = 5;                      // loads of a lane under way

  /// Score of the step's own key for `head`, scaled; in every lane.
  __device__ float own_score(const PersistentLayer& layer, int head) const {
    const int64_t own_row = context_.own_row * rope_.num_kv_heads + head / group_heads_;
    const auto* query = static_cast<const uint32_t*>(rope_.query) + head * kHeadDim / 2;
    const auto* key = static_cast<const uint32_t*>(layer.key_pool) + own_row * kHeadDim / 2;
    float sum = 0.f;
#pragma unroll
    for (int i = 0; i < kHeadDim / 2; i += kWarpThreads) {
      const float2 q = quant::unpack_bf16(__ldcg(query + i + lane()));
      const float2 k = quant::unpack_bf16(__ldcg(key + i + lane()));
      sum += q.x * k.x + q.y * k.y;
    }
    return warp_sum(sum) * scale_log2_;
  }

  __device__ float own_value(const PersistentLayer& layer, int head, int column) const {
    const int64_t own_row = context_.own_row * rope_.num_kv_heads + head / group_heads_;
    const auto* value = static_cast<const unsigned short*>(layer.value_pool) + own_row * kHeadDim;
    return __bfloat162float(__ushort_as_bfloat16(__ldcg(value + column)));
  }

  /// The largest scaled maximum of a head's splits, in every lane.
  __device__ float split_maximum(const float2* softmax) const {
    float maximum = -INFINITY;
    for (int i = lane(); i < share_.splits; i += kWarpThreads) {
      maximum = fmaxf(maximum, __ldcg(softmax + i).x);
    }
#pragma unroll
    for (int step = 16; step > 0; step /= 2) {
      maximum = fmaxf(maximum, __shfl_xor_sync(0xffffffff, maximum, step));
    }
    return maximum;
  }

  /// Lane group g of warp w adds up splits w * kColumnGroups + g, ... + kParts, ...; then the
  /// parts' sums are added.
  __device__ void combine_columns(const PersistentLayer& layer, int head, int first_column) const {
    const int part = warp() * kColumnGroups + lane() / kColumns;
    const int column = first_column + lane() % kColumns;
    const float2* softmax = results_.softmax + int64_t{head} * share_.splits;
    const float* partial = results_.outputs + int64_t{head} * share_.splits * kHeadDim + column;

    // All loads begin before the first is waited for.
    float outputs[kAtOnce];
    float2 of_splits[kAtOnce];
    const auto load = [&](int first) {
#pragma unroll
      for (int i = 0; i < kAtOnce; ++i) {
        const int split = first + i * kParts;
        const bool exists = split < share_.splits;
        of_splits[i] = exists ? __ldcg(softmax + split) : make_float2(-INFINITY, 0.f);
        outputs[i] = exists ? __ldcg(partial + split * kHeadDim) : 0.f;
      }
    };
    load(part);
    const float value = own_value(layer, head, column);
    const float score = own_score(layer, head);
    const float maximum = fmaxf(score, split_maximum(softmax));

    float output = 0.f;
    float sum = 0.f;
#pragma unroll 1
    for (int first = part; first < share_.splits; first += kAtOnce * kParts) {
      if (first != part) load(first);
#pragma unroll
      for (int i = 0; i < kAtOnce; ++i) {
        const float factor = part_factor(of_splits[i].x, maximum);
        output += factor * outputs[i];
        sum += factor * of_splits[i].y;
      }
    }
    if (part == 0) {
      const float factor = attention::exp2_fast(score - maximum);
      output += factor * value;
      sum += factor;
    }
    auto* parts = reinterpret_cast<float2*>(scratch_);  // [kParts, kColumns]: output, sum
    parts[part * kColumns + lane() % kColumns] = {output, sum};
    sync_warps();
    if (threadIdx.x < kColumns) {
      float2 total{};
#pragma unroll
      for (int i = 0; i < kParts; ++i) {
        total.x += parts[i * kColumns + lane()].x;
        total.y += parts[i * kColumns + lane()].y;
      }
      static_cast<__nv_bfloat16*>(params_.attended)[head * kHeadDim + column] =
          __float2bfloat16_rn(total.x / total.y);
    }
    sync_warps();
  }

  const PersistentParams& params_;
  const StepContext<kHeadDim>& context_;
  const RopeKvParams& rope_;
  const Share share_;
  int group_heads_;
  SplitResults<kHeadDim> results_;
  float* scratch_;
  float scale_log2_;
};

}  // namespace longview::decoder
