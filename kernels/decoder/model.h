// What every step reads: a loaded model and the memory it runs in.
#pragma once

#include "common/stream.h"
#include "decoder/fp8_layers.h"
#include "decoder/kv_pool.h"
#include "decoder/model_spec.h"
#include "decoder/ops/rope/params.h"
#include "decoder/pooled_key_cache.h"
#include "decoder/rope_tables.h"
#include "decoder/sequence.h"
#include "decoder/weight_store.h"
#include "decoder/workspace.h"

namespace longview::decoder {

struct Model {
  const ModelSpec& spec;
  const WeightStore& weights;
  const Fp8Layers* fp8;  // with fp8 prefill, else null
  const KvPool& pool;
  const PooledKeyCache& pooled_keys;
  const RopeTables& positions;
  const Workspace& workspace;
  const Stream& stream;
  int context_tokens;
};

/// Rotation and KV write of `tokens` tokens, from `workspace.qkv()` to `workspace.query()`.
RopeKvParams rotation(const Model& model, const Sequence& sequence, int layer, int tokens);

float softmax_scale(const ModelSpec& spec);

/// Enqueues the choice of a token from the last of `tokens` rows of the residual stream; `next`,
/// where it is not null, is brought on to the step that takes the token in.
void enqueue_choice(const Model& model, const Sequence& sequence, int tokens, StepInput* next);

}  // namespace longview::decoder
