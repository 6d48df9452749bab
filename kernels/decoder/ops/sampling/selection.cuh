// Finds the token at which a running sum along the order reaches a target, by one block.
//
// The tokens are in bins along the order; the bin that reaches the target is known from the bins'
// sums. Its tokens are listed, and binned again by the next digits of their keys, until one token
// is left.
#pragma once

#include <cstdint>

#include "decoder/ops/sampling/ordering.cuh"
#include "decoder/ops/sampling/workspace.cuh"

namespace longview::decoder {

constexpr int kChoiceThreads = 1024;
constexpr int kChoiceWarps = kChoiceThreads / 32;

enum class Measure { kCount, kMass };

struct Sums {
  unsigned long long mass;
  unsigned long long count;

  __device__ unsigned long long of(Measure measure) const {
    return measure == Measure::kMass ? mass : count;
  }
  __device__ Sums operator+(const Sums& other) const {
    return {mass + other.mass, count + other.count};
  }
};

/// The token that reaches the target, and the mass of the order up to and with it.
struct Selected {
  int token;
  unsigned long long mass;
};

class Selection {
 public:
  struct Shared {
    Bin bins[kBins];
    Sums warp_totals[kChoiceWarps];
    Sums before_found;
    int found;
    unsigned int listed_count;
    Selected selected;
  };

  __device__ Selection(const Ordering& ordering, SampleWorkspace& workspace, Shared& shared)
      : ordering_(ordering), workspace_(workspace), shared_(shared) {}

  /// The mass of all tokens.
  __device__ unsigned long long total_mass() {
    scan(workspace_.bins);
    Sums total{0, 0};
    for (const Sums& warp : shared_.warp_totals) total = total + warp;
    __syncthreads();
    return total.mass;
  }

  /// `target` is between 1 and the sum over all tokens.
  __device__ Selected first_to_reach(Measure measure, unsigned long long target) {
    Sums before{0, 0};
    find_bin(workspace_.bins, measure, target, before);
    const int bin = shared_.found;
    unsigned int left = workspace_.bins[bin].count;
    list_tokens(bin);
    uint64_t prefix = 0;
    int shift = Ordering::kKeyBits;
    while (left > 1) {
      const int upper_shift = shift;
      shift = max(shift - kDigitBits, 0);
      const uint64_t digits = (uint64_t{1} << (upper_shift - shift)) - 1;
      bin_listed(upper_shift, prefix, shift, digits);
      find_bin(shared_.bins, measure, target, before);
      prefix = prefix << (upper_shift - shift) | static_cast<uint64_t>(shared_.found);
      left = shared_.bins[shared_.found].count;
      __syncthreads();
    }
    return the_one(shift, prefix, before);
  }

 private:
  static constexpr int kDigitBits = 11;
  static constexpr int kThreadBins = kBins / kChoiceThreads;
  static_assert(1 << kDigitBits == kBins);

  /// The sums of the bins before this thread's, within its warp; the warps' totals go to shared
  /// memory.
  __device__ Sums scan(const Bin* bins) {
    Sums own{0, 0};
    for (int i = 0; i < kThreadBins; ++i) {
      const Bin& bin = bins[threadIdx.x * kThreadBins + i];
      own = own + Sums{bin.mass, bin.count};
    }
    Sums inclusive = own;
    const int lane = threadIdx.x % 32;
    for (int distance = 1; distance < 32; distance *= 2) {
      const Sums lower{__shfl_up_sync(0xffffffffu, inclusive.mass, distance),
                       __shfl_up_sync(0xffffffffu, inclusive.count, distance)};
      if (lane >= distance) inclusive = inclusive + lower;
    }
    if (lane == 31) shared_.warp_totals[threadIdx.x / 32] = inclusive;
    __syncthreads();
    return {inclusive.mass - own.mass, inclusive.count - own.count};
  }

  /// Sets `found` to the bin that reaches the target; adds to `before` what lies before that bin.
  __device__ void find_bin(const Bin* bins, Measure measure, unsigned long long target,
                           Sums& before) {
    Sums sums = before + scan(bins);
    for (int warp = 0; warp < static_cast<int>(threadIdx.x / 32); ++warp) {
      sums = sums + shared_.warp_totals[warp];
    }
    for (int i = 0; i < kThreadBins; ++i) {
      const int index = threadIdx.x * kThreadBins + i;
      const Sums reached = sums + Sums{bins[index].mass, bins[index].count};
      if (sums.of(measure) < target && target <= reached.of(measure)) {
        shared_.found = index;
        shared_.before_found = sums;
      }
      sums = reached;
    }
    __syncthreads();
    before = shared_.before_found;
  }

  /// Lists the tokens of one of the workspace's bins, in any order.
  __device__ void list_tokens(int bin) {
    if (threadIdx.x == 0) shared_.listed_count = 0;
    __syncthreads();
    for (int id = threadIdx.x; id < ordering_.candidates; id += kChoiceThreads) {
      if (ordering_.bin(id) == bin) {
        workspace_.listed[atomicAdd(&shared_.listed_count, 1u)] = id;
      }
    }
    __syncthreads();
  }

  /// Bins the listed tokens whose key begins with `prefix` by the digits that follow.
  __device__ void bin_listed(int upper_shift, uint64_t prefix, int shift, uint64_t digits) {
    for (int i = threadIdx.x; i < kBins; i += kChoiceThreads) shared_.bins[i] = {0, 0};
    __syncthreads();
    for (unsigned int i = threadIdx.x; i < shared_.listed_count; i += kChoiceThreads) {
      const int id = workspace_.listed[i];
      const uint64_t key = ordering_.key(id);
      if (key >> upper_shift != prefix) continue;
      Bin& bin = shared_.bins[key >> shift & digits];
      atomicAdd(&bin.mass, ordering_.mass(id));
      atomicAdd(&bin.count, 1u);
    }
    __syncthreads();
  }

  /// The only listed token whose key begins with `prefix`.
  __device__ Selected the_one(int shift, uint64_t prefix, const Sums& before) {
    for (unsigned int i = threadIdx.x; i < shared_.listed_count; i += kChoiceThreads) {
      const int id = workspace_.listed[i];
      if (ordering_.key(id) >> shift == prefix) {
        shared_.selected = {id, before.mass + ordering_.mass(id)};
      }
    }
    __syncthreads();
    return shared_.selected;
  }

  const Ordering& ordering_;
  SampleWorkspace& workspace_;
  Shared& shared_;
};

}  // namespace longview::decoder
