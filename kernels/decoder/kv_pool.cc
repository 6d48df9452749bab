#include "decoder/kv_pool.h"

#include <algorithm>
#include <functional>
#include <numeric>

#include "common/kv_block.h"
#include "decoder/errors.h"

namespace longview::decoder {

BlockAllocator::BlockAllocator(int blocks) : free_(blocks) {
  std::iota(free_.begin(), free_.end(), 0);
}

int32_t BlockAllocator::take() {
  if (free_.empty()) throw ContextError("every block of the KV pool is in use");
  std::pop_heap(free_.begin(), free_.end(), std::greater<int32_t>());
  const int32_t block = free_.back();
  free_.pop_back();
  return block;
}

void BlockAllocator::give_back(int32_t block) {
  free_.push_back(block);
  std::push_heap(free_.begin(), free_.end(), std::greater<int32_t>());
}

KvPool::KvPool(const ModelSpec& spec, int blocks)
    : blocks_(blocks),
      tensor_elements_(int64_t{blocks} * KV_BLOCK_TOKENS * spec.kv_size()),
      memory_(static_cast<size_t>(tensor_elements_) * 2 * spec.layers),
      allocator_(blocks) {}

size_t KvPool::block_bytes(const ModelSpec& spec) {
  return static_cast<size_t>(spec.kv_token_bytes()) * KV_BLOCK_TOKENS;
}

}  // namespace longview::decoder
