// A warp's rows of weights, streamed through a ring in shared memory by asynchronous copies: many
// bytes in flight that cost no registers.
#pragma once

#include <cstdint>

#include "decoder/ops/gemv/config.h"
#include "decoder/ops/warp.cuh"

namespace longview::decoder {

/// 16 bytes from global to shared memory, both aligned to 16, past the first-level cache.
__device__ inline void copy_16_async(void* shared, const void* global) {
  const auto to = static_cast<uint32_t>(__cvta_generic_to_shared(shared));
  asm volatile("cp.async.cg.shared.global.L2::128B [%0], [%1], 16;" ::"r"(to), "l"(global)
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
  using Shape = StageShape<kFormat>;

 public:
  static constexpr int kRows = Rows::kRows;
  static constexpr int kStages = ring_stages<kFormat>(kRows, kIsLarge);
  static constexpr int kSlotBytes = kRows * Shape::kPieces * 16;
  static_assert(kStages > 0, "the ring holds no stage");

  __device__ RowRing(uint8_t* slots, const Rows& rows, int64_t row_bytes, int first, int step,
                     int items)
      : slots_(slots),
        rows_(rows),
        row_bytes_(row_bytes),
        item_(first),
        step_(step),
        items_(items),
        lane_(threadIdx.x % kWarpThreads) {
    start_item();
#pragma unroll
    for (int i = 0; i < kStages; ++i) fetch();
  }

  /// Waits for the oldest stage. Its rows are read with row(); then release() must follow.
  __device__ void acquire() {
    wait_for_copies<kStages - 1>();
    __syncwarp();
  }

  /// The oldest stage's part of row `r`; `misalignment` is that of the part in global memory.
  __device__ const uint8_t* row(int r, int misalignment) const {
    return slots_ + slot_ * kSlotBytes + r * Shape::kPieces * 16 + misalignment;
  }

  /// Gives the oldest stage's room to the next copies.
  __device__ void release() {
    __syncwarp();
    fetch();
  }

 private:
  __device__ void start_item() {
    offset_ = 0;
    if (item_ >= items_) return;
#pragma unroll
    for (int r = 0; r < kRows; ++r) sources_[r] = rows_.row(item_, r);
  }

  /// Starts the copies of one stage, or of none when all is fetched: groups are counted all the
  /// same.
  __device__ void fetch() {
    if (item_ < items_) {
      const int64_t bytes = min(int64_t{Shape::kBytes}, row_bytes_ - offset_);
#pragma unroll
      for (int r = 0; r < kRows; ++r) copy_part(sources_[r] + offset_, bytes, r);
      offset_ += Shape::kBytes;
      if (offset_ >= row_bytes_) {
        item_ += step_;
        start_item();
      }
    }
    end_copy_group();
    slot_ = slot_ + 1 == kStages ? 0 : slot_ + 1;
  }

  __device__ void copy_part(const uint8_t* part, int64_t bytes, int r) {
    const int misalignment = Shape::kIsPlain ? 0 : reinterpret_cast<uintptr_t>(part) & 15;
    const uint8_t* from = part - misalignment;
    const int pieces = (static_cast<int>(bytes) + misalignment + 15) / 16;
    uint8_t* to = slots_ + slot_ * kSlotBytes + r * Shape::kPieces * 16;
#pragma unroll
    for (int first = 0; first < Shape::kPieces; first += kWarpThreads) {
      const int piece = first + lane_;
      if (piece < pieces) copy_16_async(to + piece * 16, from + piece * 16);
    }
  }

  uint8_t* slots_;
  const Rows& rows_;
  const int64_t row_bytes_;
  int64_t offset_ = 0;  // bytes of the item's rows already under way
  int item_;            // whose rows are being fetched
  const int step_;
  const int items_;
  const int lane_;
  int slot_ = 0;  // the oldest stage, and the next to be filled
  const uint8_t* sources_[kRows];
};

}  // namespace longview::decoder
