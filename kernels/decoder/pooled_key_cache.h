// Averages of cached keys, which SampleAttention scores in place of the keys.
#pragma once

#include <cstddef>
#include <cstdint>

#include "attention/selection/settings.h"
#include "common/device_buffer.h"
#include "decoder/model_spec.h"

namespace longview::decoder {

/// Beside the KV pool and under the same block tables: each of its blocks has its averages here, layer
/// by layer. Which tokens of a sequence have theirs is the sequence's to know.
class PooledKeyCache {
 public:
  /// Room for averages of `fewest_keys` keys or more; 0: no room at all.
  PooledKeyCache(const ModelSpec& spec, int pool_blocks, int fewest_keys);

  void* layer(int layer) const { return memory_.data() + layer * layer_bytes_; }

  /// Whether a selection that averages `keys` keys finds room; one that scores the keys themselves needs none.
  bool serves(int keys) const { return fewest_keys_ > 0 && (keys == 1 || keys >= fewest_keys_); }

  /// Bytes beside one block of the KV pool, all layers.
  static size_t block_bytes(const ModelSpec& spec, int fewest_keys);

 private:
  int fewest_keys_;
  size_t layer_bytes_;
  DeviceBuffer<std::byte> memory_;
};

}  // namespace longview::decoder
