// Rotary positions: how fast each pair of a head turns, the tables made from that, and one call of
// the fused rotation and KV write.
#pragma once

#include <cstdint>
#include <vector>

namespace longview::decoder {

enum class RopeScaling { kNone, kLlama3, kYarn };

/// A model's rotary positions, as its file describes them.
struct RopeSpec {
  int head_dim;  // even, 2 to 256
  double base;   // > 1
  RopeScaling scaling = RopeScaling::kNone;
  double factor = 1.0;                 // kLlama3, kYarn: >= 1
  int original_context_tokens = 0;     // kLlama3, kYarn: the context the model was trained for
  double low_frequency_factor = 1.0;   // kLlama3
  double high_frequency_factor = 4.0;  // kLlama3
  double beta_fast = 32.0;             // kYarn
  double beta_slow = 1.0;              // kYarn
  double attention_factor = 0.0;       // kYarn: multiplies cos and sin; 0: 0.1 ln(factor) + 1
  /// [head_dim / 2] or empty: divides each frequency (`rope_freqs.weight` of Llama 3 files, which
  /// holds the llama3 scaling; leave `scaling` at kNone then).
  std::vector<float> frequency_divisors;
};

/// Pair i of a head turns by `position * radians_per_position[i]`.
struct RopeFrequencies {
  std::vector<double> radians_per_position;  // [head_dim / 2]
  double attention_factor;                   // 1 without YaRN
};

/// cos and sin of each position and pair, times the attention factor; both fp32 in device memory.
struct RopeTableParams {
  RopeFrequencies frequencies;
  float* cos;     // [positions, head_dim / 2]
  float* sin;     // [positions, head_dim / 2]
  int positions;  // >= 1
};

/// Which elements of a head form pair i: i and i + head_dim / 2 (NeoX: Hugging Face checkpoints,
/// Qwen files) or 2i and 2i + 1 (interleaved: Q and K rows as Llama GGUF files store them).
enum class RopePairs { kHalves, kInterleaved };

/// Norms and turns the heads of q and k, and puts k and v into the KV pool of one layer. Token i of
/// the call has position `*first_position + i`, and its K and V go to pool row
/// `block_table[p / KV_BLOCK_TOKENS] * KV_BLOCK_TOKENS + p % KV_BLOCK_TOKENS`.
struct RopeKvParams {
  const void* qkv;   // bf16 [tokens, (num_heads + 2 * num_kv_heads) * head_dim]: q, k, v heads
  void* query;       // bf16 [tokens, num_heads, head_dim] out; does not overlap `qkv`
  void* key_pool;    // bf16 [pool rows, num_kv_heads, head_dim]
  void* value_pool;  // as key_pool
  const int32_t* block_table;     // [blocks of the sequence], aligned to 4 bytes
  const int32_t* first_position;  // [1], aligned to 4 bytes; in device memory, so that one CUDA
                                  // graph serves every step
  const float* cos;               // [positions, head_dim / 2]; every position of the call is within
  const float* sin;
  const float* query_norm;  // fp32 [head_dim], or null: no norm of q (Qwen3 has one)
  const float* key_norm;    // null exactly when query_norm is
  float norm_epsilon;       // > 0 where there are norms
  RopePairs pairs;
  int tokens;  // >= 0; 0 does nothing
  int num_heads;
  int num_kv_heads;
  int head_dim;  // 64 or 128
};

}  // namespace longview::decoder
