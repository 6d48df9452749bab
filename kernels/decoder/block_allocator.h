// Which blocks of the KV pool are free, and how many sequences hold each of the others. Host code.
#pragma once

#include <cstdint>
#include <vector>

namespace longview::decoder {

class BlockAllocator {
 public:
  explicit BlockAllocator(int blocks);

  int free_blocks() const { return static_cast<int>(free_.size()); }

  /// The lowest of the free blocks. @throws ContextError when there is none.
  int32_t take();
  /// One more holder of a block that is taken.
  void share(int32_t block);
  /// One holder less; the block is free after the last.
  void give_back(int32_t block);
  bool is_shared(int32_t block) const { return holders_[block] > 1; }

 private:
  std::vector<int32_t> free_;  // a heap: the lowest on top
  std::vector<int32_t> holders_;  // of each block
};

}  // namespace longview::decoder
