#include "decoder/kv_pool.h"

#include "common/kv_block.h"

namespace longview::decoder {

KvPool::KvPool(const ModelSpec& spec, int blocks)
    : blocks_(blocks),
      tensors_(2 * spec.layers),
      token_elements_(spec.kv_size()),
      tensor_elements_(int64_t{blocks} * KV_BLOCK_TOKENS * spec.kv_size()),
      memory_(static_cast<size_t>(tensor_elements_) * tensors_),
      allocator_(blocks) {}

void KvPool::copy_block(int32_t from, int32_t to, const Stream& stream) const {
  for (int tensor = 0; tensor < tensors_; ++tensor) {
    LONGVIEW_CUDA(cudaMemcpyAsync(block_at(tensor, to), block_at(tensor, from),
                                  tensor_bytes(KV_BLOCK_TOKENS), cudaMemcpyDeviceToDevice,
                                  stream.get()));
  }
}

void KvPool::copy_to_host(int32_t block, int tokens, uint8_t* host, const Stream& stream) const {
  const size_t bytes = tensor_bytes(tokens);
  for (int tensor = 0; tensor < tensors_; ++tensor, host += bytes) {
    LONGVIEW_CUDA(cudaMemcpyAsync(host, block_at(tensor, block), bytes, cudaMemcpyDeviceToHost,
                                  stream.get()));
  }
}

void KvPool::copy_from_host(int32_t block, int tokens, const uint8_t* host,
                            const Stream& stream) const {
  const size_t bytes = tensor_bytes(tokens);
  for (int tensor = 0; tensor < tensors_; ++tensor, host += bytes) {
    LONGVIEW_CUDA(cudaMemcpyAsync(block_at(tensor, block), host, bytes, cudaMemcpyHostToDevice,
                                  stream.get()));
  }
}

uint16_t* KvPool::block_at(int64_t tensor, int32_t block) const {
  return at(tensor) + int64_t{block} * KV_BLOCK_TOKENS * token_elements_;
}

size_t KvPool::tensor_bytes(int tokens) const {
  return static_cast<size_t>(tokens) * token_elements_ * sizeof(uint16_t);
}

size_t KvPool::block_bytes(const ModelSpec& spec) {
  return static_cast<size_t>(spec.kv_token_bytes()) * KV_BLOCK_TOKENS;
}

}  // namespace longview::decoder
