// A warp's rows of weights, streamed through a ring in shared memory by asynchronous copies: many
// bytes in flight that cost no registers.
#pragma once

#include <cstdint>

#include "decoder/ops/gemv/config.h"
#include "decoder/ops/warp.cuh"

namespace longview::decoder {

/// 16 bytes from global memory to a shared address, both aligned to 16, past the first-level cache.
__device__ inline void copy_16_async(uint32_t shared, const void* global) {
  asm volatile("cp.async.cg.shared.global.L2::128B [%0], [%1], 16;" ::"r"(shared), "l"(global)
               : "memory");
}

__device__ inline void end_copy_group() { asm volatile("cp.async.commit_group;" ::: "memory"); }

/// Waits until at most `kPending` of the thread's latest groups are still under way.
template <int kPending>
__device__ inline void wait_for_copies() {
  asm volatile("cp.async.wait_group %0;" ::"n"(kPending) : "memory");
}

/// Streams the rows of items `first`, `first + step`, ... below `items`; item i has the rows
/// `rows.row(i, 0)` to `rows.row(i, Rows::kRows - 1)`, each `row_bytes` long, side by side in a
/// stage.
template <quant::BlockFormat kFormat, class Rows, bool kIsLarge>
class RowRing {
 public:
  static constexpr int kRows = Rows::kRows;
  using Shape = StageShape<kFormat, kRows>;
  static constexpr int kStages = ring_stages<kFormat, kRows>(kIsLarge);
  static constexpr int kBytes = kStages * Shape::kSlotBytes;
  static_assert(kStages > 0, "the ring holds no stage");

  __device__ RowRing(uint8_t* slots, const Rows& rows, int row_bytes, int first, int step,
                     int items)
      : slots_(slots),
        slots_address_(static_cast<uint32_t>(__cvta_generic_to_shared(slots))),
        rows_(rows),
        row_bytes_(row_bytes),
        item_(first),
        step_(step),
        items_(items),
        lane_(threadIdx.x % kWarpThreads) {
    start_item();
#pragma unroll 1
    for (int i = 0; i < kStages; ++i) fetch();
  }

  /// Waits for the oldest stage. Its rows are read with row(); then release() must follow.
  __device__ void acquire() {
    wait_for_copies<kStages - 1>();
    if (!Shape::kIsPlain) __syncwarp();  // of plain rows, a lane reads what it has copied itself
  }

  /// The oldest stage's part of row `r`; `misalignment` is that of the part in global memory.
  __device__ const uint8_t* row(int r, int misalignment) const {
    return slots_ + slot_ + r * Shape::kRowBytes + misalignment;
  }

  /// Gives the oldest stage's room to the next copies.
  __device__ void release() {
    if (!Shape::kIsPlain) __syncwarp();
    fetch();
  }

 private:
  __device__ void start_item() {
    if (item_ >= items_) return;
    bytes_left_ = row_bytes_;
#pragma unroll
    for (int r = 0; r < kRows; ++r) sources_[r] = rows_.row(item_, r);
  }

  /// Starts the copies of one stage, or of none when all is fetched: groups are counted all the
  /// same.
  __device__ void fetch() {
    if (bytes_left_ > 0) {
#pragma unroll
      for (int r = 0; r < kRows; ++r) {
        copy_part(sources_[r], slots_address_ + slot_ + r * Shape::kRowBytes);
        sources_[r] += Shape::kBytes;
      }
      bytes_left_ -= Shape::kBytes;
      if (bytes_left_ <= 0) {
        item_ += step_;
        start_item();
      }
    }
    end_copy_group();
    slot_ = slot_ + Shape::kSlotBytes == kBytes ? 0 : slot_ + Shape::kSlotBytes;
  }

  /// Starts the copies of one row's part, at most `bytes_left_`.
  __device__ void copy_part(const uint8_t* part, uint32_t to) {
    const int misalignment = Shape::kIsPlain ? 0 : reinterpret_cast<uintptr_t>(part) & 15;
    const int bytes = min(bytes_left_, Shape::kBytes) + misalignment;
    const uint8_t* from = part - misalignment + lane_ * 16;
#pragma unroll
    for (int first = 0; first < Shape::kRowBytes; first += kWarpThreads * 16) {
      if (first + lane_ * 16 < bytes) copy_16_async(to + first + lane_ * 16, from + first);
    }
  }

  const uint8_t* slots_;
  const uint32_t slots_address_;
  const Rows& rows_;
  const int row_bytes_;
  int item_;            // whose rows are being fetched
  int bytes_left_ = 0;  // of each of its rows
  const int step_;
  const int items_;
  const int lane_;
  int slot_ = 0;  // where the oldest stage begins, which is also the next to be filled
  const uint8_t* sources_[kRows];
};

}  // namespace longview::decoder
