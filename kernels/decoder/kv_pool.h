// The KV cache of all sequences: blocks of one pool, handed out and taken back.
#pragma once

#include <cstdint>
#include <vector>

#include "common/device_buffer.h"
#include "decoder/model_spec.h"

namespace longview::decoder {

/// Which blocks are free. Host code.
class BlockAllocator {
 public:
  explicit BlockAllocator(int blocks);

  int free_blocks() const { return static_cast<int>(free_.size()); }

  /// The lowest of the free blocks. @throws ContextError when there is none.
  int32_t take();
  void give_back(int32_t block);

 private:
  std::vector<int32_t> free_;  // a heap: the lowest on top
};

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
