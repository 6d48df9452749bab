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

void BlockList::share(const BlockList& other, int count) {
  for (int i = 0; i < count; ++i) {
    allocator_.share(other.blocks_[i]);
    blocks_.push_back(other.blocks_[i]);
  }
}

std::optional<BlockList::Replaced> BlockList::make_own(int index) {
  const int32_t shared = blocks_[index];
  if (!allocator_.is_shared(shared)) return std::nullopt;
  const int32_t own = allocator_.take();
  blocks_[index] = own;
  allocator_.give_back(shared);
  return Replaced{shared, own};
}

bool BlockList::can_grow_to(int count) const {
  return count - static_cast<int>(blocks_.size()) <= allocator_.free_blocks();
}

void BlockList::shrink_to(int count) {
  while (static_cast<int>(blocks_.size()) > count) {
    allocator_.give_back(blocks_.back());
    blocks_.pop_back();
  }
}

Sequence::Sequence(KvPool& pool, int max_tokens)
    : pool_(pool), blocks_(pool.allocator()), table_(kv_blocks(max_tokens)), sampler_(1) {}

void Sequence::share(const Sequence& other, int tokens, const Stream& stream) {
  blocks_.share(other.blocks_, kv_blocks(tokens));
  length_tokens = tokens;
  pooled_tokens = std::min(other.pooled_tokens, tokens);
  pooled_keys = other.pooled_keys;
  is_table_stale_ = true;
  upload_table(stream);
}

bool Sequence::can_reserve(int tokens) const { return blocks_.can_grow_to(kv_blocks(tokens)); }

void Sequence::reserve(int tokens, const Stream& stream) {
  // What is written next may share its block with tokens that another sequence holds, too.
  if (length_tokens % KV_BLOCK_TOKENS != 0) {
    const auto replaced = blocks_.make_own(length_tokens / KV_BLOCK_TOKENS);
    if (replaced) {
      is_table_stale_ = true;
      pool_.copy_block(replaced->shared, replaced->own, stream);
      // Averages are not copied: making them anew is as cheap.
      truncate_averages(length_tokens / KV_BLOCK_TOKENS * KV_BLOCK_TOKENS);
    }
  }
  if (blocks_.grow_to(kv_blocks(tokens))) is_table_stale_ = true;
  upload_table(stream);
}

int32_t Sequence::block_of(int token) const { return blocks_.blocks()[token / KV_BLOCK_TOKENS]; }

void Sequence::upload_table(const Stream& stream) {
  if (!is_table_stale_) return;
  // From pageable memory: the copy has left it when the call returns.
  const std::vector<int32_t>& blocks = blocks_.blocks();
  LONGVIEW_CUDA(cudaMemcpyAsync(table_.data(), blocks.data(), blocks.size() * sizeof(int32_t),
                                cudaMemcpyHostToDevice, stream.get()));
  is_table_stale_ = false;
}

void Sequence::truncate(int tokens) {
  blocks_.shrink_to(kv_blocks(tokens));
  length_tokens = tokens;
  truncate_averages(tokens);
}

void Sequence::truncate_averages(int tokens) { pooled_tokens = std::min(pooled_tokens, tokens); }

void Sequence::take_back_choice(const Stream& stream) {
  SamplerState& state = *sampler_.data();  // in device memory: only addresses are taken here
  LONGVIEW_CUDA(cudaMemcpyAsync(&state.random, &state.random_before, sizeof(state.random),
                                cudaMemcpyDeviceToDevice, stream.get()));
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
