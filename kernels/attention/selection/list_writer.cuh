// Writing the list of one query tile, all threads of a block together.
#pragma once

#include "attention/selection/block_scan.cuh"

namespace longview::attention {

/// A tile that sees `visible` blocks.
class ListWriter {
 public:
  __device__ __forceinline__ ListWriter(uint16_t* list, int32_t* count, int visible)
      : list_(list), count_(count), visible_(visible) {
    // Each thread has a run of neighbours, of odd length to spread over the banks of shared memory.
    const int length = ((visible + kFilterThreads - 1) / kFilterThreads) | 1;
    first_ = min(static_cast<int>(threadIdx.x) * length, visible);
    end_ = min(first_ + length, visible);
  }

  /// The calling thread's blocks.
  __device__ __forceinline__ int first() const { return first_; }
  __device__ __forceinline__ int end() const { return end_; }

  __device__ __forceinline__ void write_everything() const {
    for (int block = static_cast<int>(threadIdx.x); block < visible_; block += kFilterThreads) {
      list_[block] = static_cast<uint16_t>(block);
    }
    if (threadIdx.x == 0) *count_ = visible_;
  }

  /// Writes the blocks that `keeps` says in ascending order; all, when those are more than the
  /// share `dense_above`. It is asked about the thread's own blocks alone.
  template <class Keeps>
  __device__ __forceinline__ void write(const Keeps& keeps, float dense_above,
                                        Tally (&warps)[kFilterWarps]) const {
    Tally kept;
    for (int block = first_; block < end_; ++block) kept.count += keeps(block) ? 1 : 0;
    Tally total;
    const uint32_t place = scan_exclusive(kept, warps, total).count;
    if (static_cast<float>(total.count) > dense_above * static_cast<float>(visible_)) {
      write_everything();
      return;
    }
    uint16_t* next = list_ + place;
    for (int block = first_; block < end_; ++block) {
      if (keeps(block)) *next++ = static_cast<uint16_t>(block);
    }
    if (threadIdx.x == 0) *count_ = static_cast<int32_t>(total.count);
  }

 private:
  uint16_t* list_;
  int32_t* count_;
  int visible_;
  int first_;
  int end_;
};

}  // namespace longview::attention
