// What the blocks tell one another. Each value lies in memory with a tag, the number of the layer
// and step it belongs to, and both are stored as one: who needs a value reads it again until the tag
// is the one awaited. So nothing is fenced: a fence would wait for all that the block has under way.
// When it is worth reading is told by counters, which may be ahead of the values.
//
// A value is not overwritten before all have read it: every block contributes to every vector, and
// needs all of the vector before, so it is at most one vector ahead of the slowest.
#pragma once

#include <cuda_bf16.h>

#include <cstdint>

#include "decoder/persistent/params.h"

namespace longview::decoder {

/// A bf16 above the low 16 bits of its tag.
using TaggedHalf = uint32_t;
/// A float, and its tag.
using TaggedFloat = uint2;

__device__ inline void send(TaggedHalf* to, __nv_bfloat16 value, uint32_t tag) {
  const uint32_t word = uint32_t{__bfloat16_as_ushort(value)} << 16 | (tag & 0xffff);
  asm volatile("st.relaxed.gpu.global.u32 [%0], %1;" ::"l"(to), "r"(word) : "memory");
}

__device__ inline void send(TaggedFloat* to, float value, uint32_t tag) {
  asm volatile("st.relaxed.gpu.global.v2.u32 [%0], {%1, %2};" ::"l"(to),
               "r"(__float_as_uint(value)), "r"(tag)
               : "memory");
}

/// What lies in memory now; see has_tag().
__device__ inline uint2 peek_two(const void* from) {
  uint2 words;
  asm volatile("ld.relaxed.gpu.global.v2.u32 {%0, %1}, [%2];"
               : "=r"(words.x), "=r"(words.y)
               : "l"(from)
               : "memory");
  return words;
}

__device__ inline uint4 peek_four(const TaggedHalf* from) {
  uint4 words;
  asm volatile("ld.relaxed.gpu.global.v4.u32 {%0, %1, %2, %3}, [%4];"
               : "=r"(words.x), "=r"(words.y), "=r"(words.z), "=r"(words.w)
               : "l"(from)
               : "memory");
  return words;
}

/// Of two halves.
__device__ inline bool has_tag(const uint2& halves, uint32_t tag) {
  return (((halves.x ^ tag) | (halves.y ^ tag)) & 0xffff) == 0;
}

/// Of four halves.
__device__ inline bool has_tag(const uint4& halves, uint32_t tag) {
  return (((halves.x ^ tag) | (halves.y ^ tag) | (halves.z ^ tag) | (halves.w ^ tag)) & 0xffff) ==
         0;
}

/// Two halves without their tags.
__device__ inline uint32_t packed(uint32_t low, uint32_t high) {
  return __byte_perm(low, high, 0x7632);
}

/// What is sent, in the order of a layer.
enum class Message : int { kQkv, kSplits, kAttended, kHidden, kActivation, kNextHidden };
constexpr int kMessages = 6;

/// Elements of each part lie behind one another; parts begin at multiples of 256 bytes.
struct Exchange {
  TaggedHalf* hidden;      // [hidden_size]: the residual stream
  TaggedHalf* attended;    // [query_size]
  TaggedHalf* activation;  // [feed_forward_size]
  TaggedHalf* query;       // [query_size]
  TaggedHalf* own_kv;      // [2, num_kv_heads, head_dim]: the step's own key, then value
  TaggedFloat* softmax;    // [num_heads, splits, 2]: scaled maximum and sum of each split
  TaggedFloat* outputs;    // [num_heads, splits, head_dim], not divided by their sums
  uint32_t first_tag;      // of the step

  /// `splits` of the cached keys. Where `params` has no workspace, the places count from 0.
  __host__ __device__ Exchange(const PersistentParams& params, int splits) {
    const RopeKvParams& rope = params.rope;
    uint32_t* next = static_cast<uint32_t*>(params.workspace) + kHeadWords;
    const auto part = [&](int words) {
      uint32_t* const first = next;
      next += (words + kPartWords - 1) / kPartWords * kPartWords;
      return first;
    };
    hidden = part(params.hidden_size);
    attended = part(rope.num_heads * rope.head_dim);
    activation = part(params.feed_forward_size);
    query = part(rope.num_heads * rope.head_dim);
    own_kv = part(2 * rope.num_kv_heads * rope.head_dim);
    softmax = reinterpret_cast<TaggedFloat*>(part(4 * rope.num_heads * splits));
    outputs = reinterpret_cast<TaggedFloat*>(part(2 * rope.num_heads * splits * rope.head_dim));
    end = next;
  }

  /// Steps that have run, in the workspace's first word.
  static __device__ uint32_t& steps(const PersistentParams& params) {
    return *static_cast<uint32_t*>(params.workspace);
  }

  /// Counts the blocks that have sent a message, in all layers and steps.
  static __device__ uint32_t* arrivals(const PersistentParams& params, Message message) {
    return static_cast<uint32_t*>(params.workspace) + (1 + static_cast<int>(message)) * kLineWords;
  }

  /// Of what a layer's parts send; its last residual stream has the one behind.
  __device__ uint32_t tag(int layer) const { return first_tag + 2 * layer; }

  uint32_t* end;

 private:
  static constexpr int kPartWords = 64;
  static constexpr int kLineWords = 32;
  static constexpr int kHeadWords = 256;
  static_assert((kMessages + 1) * kLineWords <= kHeadWords);
};

}  // namespace longview::decoder
