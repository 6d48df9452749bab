// Which blocks of the KV pool are free. Host code.
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
  void give_back(int32_t block);

 private:
  std::vector<int32_t> free_;  // a heap: the lowest on top
};

}  // namespace longview::decoder
