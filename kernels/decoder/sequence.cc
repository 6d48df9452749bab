#include "decoder/sequence.h"

#include <algorithm>

#include "common/kv_block.h"
#include "decoder/errors.h"
#include "decoder/ops/sampling/api.h"

namespace longview::decoder {

bool BlockList::grow_to(int count) {
  const int missing = count - static_cast<int>(blocks_.size());
  if (missing <= 0) return false;
  if (missing > allocator_.free_blocks()) {
    throw ContextError("the KV pool has " + std::to_string(allocator_.free_blocks()) +
                       " free blocks of " + std::to_string(KV_BLOCK_TOKENS) + " tokens, and " +
                       std::to_string(missing) + " are needed");
  }
  for (int i = 0; i < missing; ++i) blocks_.push_back(allocator_.take());
  return true;
}

void BlockList::shrink_to(int count) {
  while (static_cast<int>(blocks_.size()) > count) {
    allocator_.give_back(blocks_.back());
    blocks_.pop_back();
  }
}

Sequence::Sequence(BlockAllocator& allocator, int max_tokens)
    : blocks_(allocator), table_(kv_blocks(max_tokens)), sampler_(1) {}

void Sequence::reserve(int tokens, const Stream& stream) {
  if (!blocks_.grow_to(kv_blocks(tokens))) return;
  // From pageable memory: the copy has left it when the call returns.
  const std::vector<int32_t>& blocks = blocks_.blocks();
  LONGVIEW_CUDA(cudaMemcpyAsync(table_.data(), blocks.data(), blocks.size() * sizeof(int32_t),
                                cudaMemcpyHostToDevice, stream.get()));
}

void Sequence::truncate(int tokens) {
  blocks_.shrink_to(kv_blocks(tokens));
  length_tokens = tokens;
  pooled_tokens = std::min(pooled_tokens, tokens);
}

void Sequence::start_sampling(const SamplingRequest& request, const Stream& stream) {
  const SamplerState state =
      seeded_sampler(request.temperature, request.top_k, request.top_p, request.seed);
  LONGVIEW_CUDA(cudaMemcpyAsync(sampler_.data(), &state, sizeof(state), cudaMemcpyHostToDevice,
                                stream.get()));
  if (candidates_ != request.candidates) decode_graph = CudaGraph();
  candidates_ = request.candidates;
}

}  // namespace longview::decoder
