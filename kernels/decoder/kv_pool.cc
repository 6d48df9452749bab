#include "decoder/kv_pool.h"

#include "common/kv_block.h"

namespace longview::decoder {

KvPool::KvPool(const ModelSpec& spec, int blocks)
    : blocks_(blocks),
      tensor_elements_(int64_t{blocks} * KV_BLOCK_TOKENS * spec.kv_size()),
      memory_(static_cast<size_t>(tensor_elements_) * 2 * spec.layers),
      allocator_(blocks) {}

size_t KvPool::block_bytes(const ModelSpec& spec) {
  return static_cast<size_t>(spec.kv_token_bytes()) * KV_BLOCK_TOKENS;
}

}  // namespace longview::decoder
