// Shape of a decoder-only transformer of the Qwen2, Qwen3 or Llama family.
#pragma once

#include <cstdint>

#include "decoder/ops/rope/params.h"

namespace longview::decoder {

/// RMSNorm, rotary positions, grouped-query attention and a SwiGLU network, layer after layer. The
/// families differ in the flags alone.
struct ModelSpec {
  int layers;
  int hidden_size;
  int feed_forward_size;
  int num_heads;
  int num_kv_heads;
  int head_dim;
  int vocab_size;
  int trained_context_tokens;
  float norm_epsilon;
  bool tied_head;  // the embedding table serves as the head
  bool qkv_bias;   // Qwen2
  bool qk_norm;    // Qwen3: RMSNorm of each head of q and k
  RopePairs rope_pairs;
  RopeSpec rope;

  int query_size() const { return num_heads * head_dim; }
  int kv_size() const { return num_kv_heads * head_dim; }
  int qkv_size() const { return query_size() + 2 * kv_size(); }

  /// Bytes of K and V of one token, all layers, in bf16.
  int64_t kv_token_bytes() const { return int64_t{4} * layers * kv_size(); }
};

/// What the model was trained for, or more where its positions are stretched by YaRN.
int longest_context_tokens(const ModelSpec& spec);

/// @throws ModelError for a shape that the kernels do not compute, naming it.
void validate(const ModelSpec& spec);

}  // namespace longview::decoder
