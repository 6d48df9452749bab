#include "decoder/pooled_key_cache.h"

#include "attention/selection/api.h"

namespace longview::decoder {

namespace {

size_t layer_block_bytes(const ModelSpec& spec, int fewest_keys) {
  if (fewest_keys == 0) return 0;
  attention::SelectionSettings settings;
  settings.pooled_keys = fewest_keys;
  return attention::pooled_block_bytes(settings,
                                       {spec.num_heads, spec.num_kv_heads, spec.head_dim});
}

}  // namespace

PooledKeyCache::PooledKeyCache(const ModelSpec& spec, int pool_blocks, int fewest_keys)
    : fewest_keys_(fewest_keys),
      layer_bytes_(layer_block_bytes(spec, fewest_keys) * pool_blocks),
      memory_(layer_bytes_ * spec.layers) {}

size_t PooledKeyCache::block_bytes(const ModelSpec& spec, int fewest_keys) {
  return layer_block_bytes(spec, fewest_keys) * spec.layers;
}

}  // namespace longview::decoder
