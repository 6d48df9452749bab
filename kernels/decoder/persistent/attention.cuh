// Attention of the persistent kernel, after Flash-Decoding: each block attends to a split of the
// cached keys; then the splits of a head and the step's own key are put together in a fixed order.
#pragma once

#include "attention/decode/group_attention.cuh"
#include "decoder/persistent/memory_ring.cuh"
#include "quant/decode.cuh"

namespace longview::decoder {

/// Factor of a part with maximum `part` beside a whole with maximum `whole`.
__device__ inline float part_factor(float part, float whole) {
  return part == -INFINITY ? 0.f : attention::exp2_fast(part - whole);
}

template <int kHeadDim>
class Attention {
 public:
  using Share = KeyShare<kHeadDim>;

  __device__ Attention(const PersistentParams& params, const StepContext<kHeadDim>& context,
                       uint4* scratch)
      : params_(params),
        context_(context),
        rope_(params.rope),
        share_(context.share),
        group_heads_(params.rope.num_heads / params.rope.num_kv_heads),
        scratch_(reinterpret_cast<float*>(scratch)),
        scale_log2_(params.softmax_scale * 1.44269504f) {}

  /// The block's split. No warp reads the scratch memory afterwards.
  __device__ void attend(MemoryRing& ring, int layer) const {
    __shared__ float2 softmax[kWarps][kMaxGroupHeads];
    __shared__ uint16_t query[kMaxGroupHeads][kHeadDim];
    if (share_.split >= share_.splits) return context_.announce(params_, Message::kSplits);
    context_.await(params_, Message::kQkv, layer);
    receive_query(context_.exchange.tag(layer), query[0]);
    Group group;
    group.load_query(lane() / 4 < group_heads_ ? query[lane() / 4] : nullptr);
    const int slices = share_.slices();
    const int begin = share_.begin;
    const int cached = share_.cached;
    int stage = context_.first_stage(layer, Phase::kAttention);
#pragma unroll 1
    for (int first = 0; first < slices; first += kStageSlices, stage += 2) {
      // Slices go to the warps in turns.
      const int own = (warp() + kWarps - first % kWarps) % kWarps;
      const bool has_own = own < min(kStageSlices, slices - first);
      const int start = (begin + first + own) * Share::kSliceKeys;
      const uint32_t offset = own * PersistentConfig::kSliceBytes;
      const uint32_t keys = ring.acquire(stage) + offset;
      if (has_own) group.score(Tile{keys});
      ring.release(stage);
      if (has_own) {
        if (start + Share::kSliceKeys > cached) group.mask(start, cached);
        group.soften(scale_log2_);
      }
      const uint32_t values = ring.acquire(stage + 1) + offset;
      if (has_own) group.accumulate(Tile{values});
      ring.release(stage + 1);
    }
    meet(group, softmax, context_.exchange.tag(layer));
    context_.announce(params_, Message::kSplits);
  }

  /// Puts the splits together: each block some heads' columns, kColumns at a time.
  __device__ void combine(int layer) const {
    const int columns = rope_.num_heads * kHeadDim;
    if (blockIdx.x * kColumns < columns) context_.await(params_, Message::kSplits, layer);
#pragma unroll 1
    for (int first = blockIdx.x * kColumns; first < columns; first += gridDim.x * kColumns) {
      combine_columns(context_.exchange.tag(layer), first / kHeadDim, first % kHeadDim);
    }
    context_.announce(params_, Message::kAttended);
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

  /// The queries of the KV head's group, for all warps.
  __device__ void receive_query(uint32_t tag, uint16_t* query) const {
    const TaggedHalf* from = context_.exchange.query + first_head() * kHeadDim;
    for (int i = 4 * threadIdx.x; i < group_heads_ * kHeadDim; i += 4 * kWarps * kWarpThreads) {
      uint4 four;
      do four = peek_four(from + i);
      while (!has_tag(four, tag));
      *reinterpret_cast<uint2*>(query + i) = {packed(four.x, four.y), packed(four.z, four.w)};
    }
    sync_warps();
  }

  /// Puts the warps' results together: the second half's into the first half's, then all.
  __device__ void meet(const Group& own, float2 (*softmax)[kMaxGroupHeads], uint32_t tag) const {
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
        add_up(i % kMaxGroupHeads, i / kMaxGroupHeads, softmax, tag);
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

  __device__ void add_up(int head, int column, const float2 (*softmax)[kMaxGroupHeads],
                         uint32_t tag) const {
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
    const Exchange& exchange = context_.exchange;
    send(exchange.outputs + part * kHeadDim + column, output, tag);
    if (column != 0) return;
    send(exchange.softmax + 2 * part, maximum, tag);
    send(exchange.softmax + 2 * part + 1, sum, tag);
  }

  static constexpr int kColumns = 16;
  static constexpr int kColumnGroups = kWarpThreads / kColumns;
  static constexpr int kParts = kWarps * kColumnGroups;  // of the splits of a head
  static constexpr int kAtOnce = 5;                      // splits of a lane under way

  /// Part of an element of the result: a sum of values times probabilities, and of those, in units
  /// of the largest.
  struct Part {
    float maximum = -INFINITY;
    float output = 0.f;
    float sum = 0.f;

    __device__ void add(float of_maximum, float of_output, float of_sum) {
      const float whole = fmaxf(maximum, of_maximum);
      const float own_factor = part_factor(maximum, whole);
      const float factor = part_factor(of_maximum, whole);
      output = own_factor * output + factor * of_output;
      sum = own_factor * sum + factor * of_sum;
      maximum = whole;
    }
  };

  /// What the step's own key and value come to; all lanes of the warp take part.
  __device__ Part own_part(int head, int column, uint32_t tag) const {
    constexpr int kPairs = kHeadDim / 2 / kWarpThreads;
    const Exchange& exchange = context_.exchange;
    const int kv_head = head / group_heads_;
    const TaggedHalf* query = exchange.query + head * kHeadDim + 2 * lane();
    const TaggedHalf* key = exchange.own_kv + kv_head * kHeadDim + 2 * lane();
    const TaggedHalf* value = exchange.own_kv + (rope_.num_kv_heads + kv_head) * kHeadDim + column;
    uint2 pairs[2 * kPairs];
    uint2 values;
    bool is_complete;
    do {
      values = peek_two(value - column % 2);
      is_complete = has_tag(values, tag);
#pragma unroll
      for (int i = 0; i < kPairs; ++i) {
        pairs[2 * i] = peek_two(query + 2 * i * kWarpThreads);
        pairs[2 * i + 1] = peek_two(key + 2 * i * kWarpThreads);
        is_complete = is_complete && has_tag(pairs[2 * i], tag) && has_tag(pairs[2 * i + 1], tag);
      }
    } while (!is_complete);
    float score = 0.f;
#pragma unroll
    for (int i = 0; i < kPairs; ++i) {
      const float2 q = quant::unpack_bf16(packed(pairs[2 * i].x, pairs[2 * i].y));
      const float2 k = quant::unpack_bf16(packed(pairs[2 * i + 1].x, pairs[2 * i + 1].y));
      score += q.x * k.x + q.y * k.y;
    }
    const float2 both = quant::unpack_bf16(packed(values.x, values.y));
    return {warp_sum(score) * scale_log2_, column % 2 == 0 ? both.x : both.y, 1.f};
  }

  /// Lane group g of warp w adds up splits w * kColumnGroups + g, ... + kParts, ..., and the first
  /// the step's own key; then the parts are added.
  __device__ void combine_columns(uint32_t tag, int head, int first_column) const {
    const int own = warp() * kColumnGroups + lane() / kColumns;
    const int column = first_column + lane() % kColumns;
    Part part;
    if (warp() == 0) {
      const Part of_own_key = own_part(head, column, tag);
      if (own == 0) part = of_own_key;
    }
#pragma unroll 1
    for (int first = own; first < share_.splits; first += kAtOnce * kParts) {
      add_splits(part, head, column, first, tag);
    }
    auto* parts = reinterpret_cast<Part*>(scratch_);  // [kParts, kColumns]
    parts[own * kColumns + lane() % kColumns] = part;
    sync_warps();
    if (threadIdx.x < kColumns) {
      Part total;
#pragma unroll
      for (int i = 0; i < kParts; ++i) {
        const Part& other = parts[i * kColumns + lane()];
        total.add(other.maximum, other.output, other.sum);
      }
      send(context_.exchange.attended + head * kHeadDim + column,
           __float2bfloat16_rn(total.output / total.sum), tag);
    }
    sync_warps();
  }

  /// Adds splits `first`, + kParts, ... of them kAtOnce, as far as there are such.
  __device__ void add_splits(Part& part, int head, int column, int first, uint32_t tag) const {
    const TaggedFloat* softmax = context_.exchange.softmax + int64_t{2} * head * share_.splits;
    const TaggedFloat* outputs =
        context_.exchange.outputs + int64_t{head} * share_.splits * kHeadDim + column;
    TaggedFloat maxima[kAtOnce];
    TaggedFloat sums[kAtOnce];
    TaggedFloat values[kAtOnce];
    bool is_complete;
    do {
      is_complete = true;
#pragma unroll
      for (int i = 0; i < kAtOnce; ++i) {
        const int split = first + i * kParts;
        if (split >= share_.splits) continue;
        maxima[i] = peek_two(softmax + 2 * split);
        sums[i] = peek_two(softmax + 2 * split + 1);
        values[i] = peek_two(outputs + split * kHeadDim);
        is_complete = is_complete && maxima[i].y == tag && sums[i].y == tag && values[i].y == tag;
      }
    } while (!is_complete);
#pragma unroll
    for (int i = 0; i < kAtOnce; ++i) {
      if (first + i * kParts >= share_.splits) continue;
      part.add(__uint_as_float(maxima[i].x), __uint_as_float(values[i].x),
               __uint_as_float(sums[i].x));
    }
  }

  const PersistentParams& params_;
  const StepContext<kHeadDim>& context_;
  const RopeKvParams& rope_;
  const Share& share_;
  int group_heads_;
  float* scratch_;
  float scale_log2_;
};

}  // namespace longview::decoder
