// The KV cache of all sequences: blocks of one pool, handed out and taken back.
#pragma once

#include <cstdint>

#include "common/device_buffer.h"
#include "decoder/block_allocator.h"
#include "decoder/model_spec.h"

namespace longview::decoder {

/// K and V of every layer. Layer l has `key(l)` and `value(l)`, each
/// [blocks * KV_BLOCK_TOKENS, num_kv_heads, head_dim] bf16.
class KvPool {
 public:
  KvPool(const ModelSpec& spec, int blocks);

  void* key(int layer) const { return at(2 * layer); }
  void* value(int layer) const { return at(2 * layer + 1); }
  int blocks() const { return blocks_; }
  BlockAllocator& allocator() { return allocator_; }

  /// Bytes of one block, all layers.
  static size_t block_bytes(const ModelSpec& spec);

 private:
  void* at(int64_t tensor) const { return memory_.data() + tensor * tensor_elements_; }

  int blocks_;
  int64_t tensor_elements_;
  DeviceBuffer<uint16_t> memory_;
  BlockAllocator allocator_;
};

}  // namespace longview::decoder
