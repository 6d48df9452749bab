// What the persistent kernel needs to know: all layers of one decode step.
#pragma once

#include <cstdint>

#include "decoder/ops/rope/params.h"

namespace longview::decoder {

constexpr int kMaxPersistentLayers = 96;

/// The stages of a layer that read much memory, in order.
enum class Phase : int { kQkv, kAttention, kOutput, kGateUp, kDown };
constexpr int kPhases = 5;

/// Device memory of one layer; matrices are bf16, fused as LayerShape says.
struct PersistentLayer {
  const uint8_t* matrices[kPhases];  // none for kAttention
  const float* attention_norm;
  const float* feed_forward_norm;
  const float* qkv_bias;  // or null
  void* key_pool;
  void* value_pool;
};

/// How one product is walked along: items of `item_rows` rows, each row in `pieces` of
/// `piece_bytes`, the last of which may be shorter.
struct ProductShape {
  int items;
  int item_rows;
  int columns;  // a multiple of 16
  int row_bytes;
  int pieces;
  int piece_bytes;  // a multiple of 32
};

struct PersistentParams {
  PersistentLayer layers[kMaxPersistentLayers];
  ProductShape shapes[kPhases];  // that of kAttention is not used
  int layer_count;
  int hidden_size;
  int feed_forward_size;
  float norm_epsilon;
  float softmax_scale;
  /// As in QkvGemvParams, but for the pools, which differ from layer to layer.
  RopeKvParams rope;
  void* hidden;     // bf16 [hidden_size]: the residual stream, read and written
  void* workspace;  // persistent_workspace_bytes(), zero before the first step
};

}  // namespace longview::decoder
