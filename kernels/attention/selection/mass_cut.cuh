// The smallest set of blocks whose masses add up to a target, without sorting.
#pragma once

#include "attention/selection/block_scan.cuh"

namespace longview::attention {

/// Masses are integers, so that sums are exact in any order: a share of 1 is 2^26.
constexpr float kMassUnit = 1 << 26;

/// When the largest blocks taken together suffice.
struct CutTarget {
  uint32_t mass;
  uint32_t min_count;
  uint32_t max_count;

  __device__ __forceinline__ bool reached(const Tally& taken) const {
    return (taken.mass >= mass && taken.count >= min_count) || taken.count >= max_count;
  }
};

/// Bins of masses that are equal when rounded to 6 bits of mantissa: those of one bin differ by
/// less than 1.6%. Round numbers, such as one row's whole mass, lie in the middle of a bin, where
/// the last bit of a share does not matter. Larger masses have higher bins.
struct MassBins {
  static constexpr int kMantissaBits = 6;
  static constexpr int kBins = 2048;

  static __device__ __forceinline__ int of(uint32_t mass) {
    if (mass == 0) return 0;
    constexpr int kShift = 23 - kMantissaBits;
    constexpr int kOne = 127 << kMantissaBits;
    const int bits = __float_as_int(__uint2float_rn(mass));
    return ((bits + (1 << (kShift - 1))) >> kShift) - kOne + 1;
  }
};

/// Blocks of higher bins than `bin` are taken, those of lower ones are not. Of `bin` itself they
/// are taken by ascending number until the target is reached; `above` is what the higher bins hold.
struct Cut {
  int bin;
  Tally above;
};

/// Finds the cut, all threads of a block together.
class MassCut {
 public:
  struct Shared {
    // Padded, so that threads that each sum up eight neighbours meet different banks.
    uint32_t masses[MassBins::kBins / 8 * 9];
    uint32_t counts[MassBins::kBins / 8 * 9];
    Tally warps[kFilterWarps];
    Cut cut;
  };

  __device__ __forceinline__ explicit MassCut(Shared& shared) : shared_(shared) {
    for (int i = static_cast<int>(threadIdx.x); i < MassBins::kBins / 8 * 9; i += kFilterThreads) {
      shared_.masses[i] = 0;
      shared_.counts[i] = 0;
    }
    __syncthreads();
  }

  /// Any thread, any block once.
  __device__ __forceinline__ void add(uint32_t mass) {
    const int at = place(MassBins::of(mass));
    if (mass > 0) atomicAdd(shared_.masses + at, mass);
    atomicAdd(shared_.counts + at, 1u);
  }

  /// After all threads have added theirs: what was added, from the highest bin down to the calling
  /// thread's; and in all.
  __device__ __forceinline__ Tally total() {
    __syncthreads();
    Tally own;
    for (int i = 0; i < kThreadBins; ++i) own = own + in_bin(highest_bin() - i);
    Tally total;
    before_ = scan_exclusive(own, shared_.warps, total);
    return total;
  }

  /// After total(). Without enough to reach the target, all blocks are above the cut.
  __device__ __forceinline__ Cut find(const CutTarget& target) {
    if (threadIdx.x == 0) shared_.cut = {target.reached({}) ? MassBins::kBins : -1, {}};
    __syncthreads();
    Tally taken = before_;
    for (int i = 0; i < kThreadBins; ++i) {
      const int bin = highest_bin() - i;
      const Tally with_bin = taken + in_bin(bin);
      if (!target.reached(taken) && target.reached(with_bin)) shared_.cut = {bin, taken};
      taken = with_bin;
    }
    __syncthreads();
    return shared_.cut;
  }

 private:
  static constexpr int kThreadBins = MassBins::kBins / kFilterThreads;

  static __device__ __forceinline__ int place(int bin) { return bin + bin / 8; }

  __device__ __forceinline__ Tally in_bin(int bin) const {
    return {shared_.masses[place(bin)], shared_.counts[place(bin)]};
  }

  static __device__ __forceinline__ int highest_bin() {
    return MassBins::kBins - 1 - static_cast<int>(threadIdx.x) * kThreadBins;
  }

  Shared& shared_;
  Tally before_;
};

}  // namespace longview::attention
