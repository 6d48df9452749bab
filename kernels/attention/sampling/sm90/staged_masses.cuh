// Masses on their way to memory: collected in shared memory until whole rows of them can be
// written.
#pragma once

#include <cuda_runtime_api.h>

#include "attention/sampling/params.h"

namespace longview::attention::sm90 {

/// Masses of the 16 rows of a warp. A thread's own come in pieces of 2 and 4 bytes, and stored one
/// by one those would take three times as many memory transactions.
class StagedMasses {
 public:
  /// Elements from row to row; the padding puts the rows of a store into different banks.
  static constexpr int kRowElements = kMassGroupBlocks + 8;
  static constexpr int kRows = 16;
  using Buffer = uint16_t[kRows * kRowElements];

  /// `rows` is the first of the warp's rows in memory, `pitch` elements apart; null: nowhere.
  __device__ __forceinline__ StagedMasses(Buffer& buffer, uint16_t* rows, int pitch)
      : buffer_(buffer), rows_(rows), pitch_(pitch) {}

  /// Masses of `block` and the next one, of the thread's first or second row.
  __device__ __forceinline__ void put_pair(int row, int block, uint32_t pair) const {
    *reinterpret_cast<uint32_t*>(buffer_ + place(row, block)) = pair;
  }
  __device__ __forceinline__ void put(int row, int block, uint32_t mass) const {
    buffer_[place(row, block)] = static_cast<uint16_t>(mass);
  }

  /// All lanes: after the masses up to block `end` have been put, writes those that the group of
  /// `end - 1` holds from `first` on, when it is full or `last` says that no more will come.
  __device__ __forceinline__ void flush(int first, int end, bool last) const {
    if (end % kMassGroupBlocks != 0 && !last) return;
    const int group = (end - 1) / kMassGroupBlocks * kMassGroupBlocks;
    __syncwarp();
    if (rows_ != nullptr) {
      if (first <= group && end == group + kMassGroupBlocks) {
        write<uint4>(group, 0, kMassGroupBlocks);
      } else {
        write<uint32_t>(group, max(first - group, 0), end - group);
      }
    }
    __syncwarp();
  }

 private:
  static __device__ __forceinline__ int lane() { return static_cast<int>(threadIdx.x) % 32; }

  static __device__ __forceinline__ int place(int row, int block) {
    return (lane() / 4 + 8 * row) * kRowElements + block % kMassGroupBlocks;
  }

  /// Elements [from, to) of every row, in pieces of one Word.
  template <class Word>
  __device__ __forceinline__ void write(int group, int from, int to) const {
    constexpr int kWordElements = sizeof(Word) / sizeof(uint16_t);
    const int words = (to - from) / kWordElements;
    for (int i = lane(); i < kRows * words; i += 32) {
      const int row = i / words;
      const int column = from + i % words * kWordElements;
      *reinterpret_cast<Word*>(rows_ + int64_t{row} * pitch_ + group + column) =
          *reinterpret_cast<const Word*>(buffer_ + row * kRowElements + column);
    }
  }

  uint16_t* buffer_;
  uint16_t* rows_;
  int pitch_;
};

}  // namespace longview::attention::sm90
