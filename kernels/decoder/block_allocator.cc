#include "decoder/block_allocator.h"

#include <algorithm>
#include <functional>
#include <numeric>

#include "decoder/errors.h"

namespace longview::decoder {

BlockAllocator::BlockAllocator(int blocks) : free_(blocks), holders_(blocks, 0) {
  std::iota(free_.begin(), free_.end(), 0);
}

int32_t BlockAllocator::take() {
  if (free_.empty()) throw ContextError("every block of the KV pool is in use");
  std::pop_heap(free_.begin(), free_.end(), std::greater<int32_t>());
  const int32_t block = free_.back();
  free_.pop_back();
  holders_[block] = 1;
  return block;
}

void BlockAllocator::share(int32_t block) { ++holders_[block]; }

void BlockAllocator::give_back(int32_t block) {
  if (--holders_[block] > 0) return;
  free_.push_back(block);
  std::push_heap(free_.begin(), free_.end(), std::greater<int32_t>());
}

}  // namespace longview::decoder
