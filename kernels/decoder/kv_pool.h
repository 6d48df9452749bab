// The KV cache of all sequences: blocks of one pool, handed out and taken back.
#pragma once

#include <cstdint>

#include "common/device_buffer.h"
#include "common/stream.h"
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

  /// Copies a whole block, all layers.
  void copy_block(int32_t from, int32_t to, const Stream& stream) const;

  /// The first `tokens` tokens of a block to or from host memory that is pinned and holds
  /// [2 * layers, tokens, num_kv_heads, head_dim] bf16: K, then V, layer by layer.
  void copy_to_host(int32_t block, int tokens, uint8_t* host, const Stream& stream) const;
  void copy_from_host(int32_t block, int tokens, const uint8_t* host, const Stream& stream) const;

  /// Bytes that `tokens` tokens take in host memory.
  size_t host_bytes(int tokens) const { return tensor_bytes(tokens) * tensors_; }

  /// Bytes of one block, all layers.
  static size_t block_bytes(const ModelSpec& spec);

 private:
  uint16_t* at(int64_t tensor) const { return memory_.data() + tensor * tensor_elements_; }
  uint16_t* block_at(int64_t tensor, int32_t block) const;
  size_t tensor_bytes(int tokens) const;

  int blocks_;
  int tensors_;
  int64_t token_elements_;  // of one tensor
  int64_t tensor_elements_;
  DeviceBuffer<uint16_t> memory_;
  BlockAllocator allocator_;
};

}  // namespace longview::decoder
