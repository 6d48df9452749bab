#include <cmath>

#include "attention/selection/list_writer.cuh"
#include "attention/selection/mass_cut.cuh"
#include "attention/selection/row_masses.cuh"
#include "attention/selection/tile_filter.h"
#include "common/cuda_error.h"

namespace longview::attention {

namespace {

/// One query tile of one head, all threads of a block together.
template <int kRows>
class TileFilter {
 public:
  struct Shared {
    MassCut::Shared cut;
    float warp_masses[kRows][kFilterWarps];
    float factors[kRows];
    uint32_t forced_mass;
    int has_nan;
  };

  __device__ __forceinline__ TileFilter(const TileFilterParams& params, Shared& shared,
                                        uint32_t* masses)
      : params_(params),
        shared_(shared),
        masses_(masses),
        tile_(static_cast<int>(blockIdx.x)),
        head_(static_cast<int>(blockIdx.y)) {
    const int first = params_.kv_offset + tile_ * kSelectionTileRows;
    const int last = min(first + kSelectionTileRows, params_.kv_len) - 1;
    visible_ = last / kSelectionBlockKeys + 1;
    rows_ = min(kRows, params_.sampled_rows - tile_ * kRows);
    const SelectionSettings& settings = params_.settings;
    first_candidate_ = min(settings.sink_blocks, visible_);
    end_candidates_ = max(0, first - settings.window_tokens) / kSelectionBlockKeys;
    alpha_ = params_.head_alpha == nullptr ? settings.alpha : params_.head_alpha[head_];
    everything_ = last >= params_.dense_from || alpha_ >= 1.f || rows_ <= 0 ||
                  end_candidates_ <= first_candidate_;
  }

  __device__ __forceinline__ void run() {
    const ListWriter list = writer();
    if (everything_ || !find_factors()) {
      list.write_everything();
      return;
    }
    MassCut cut(shared_.cut);
    find_masses(cut);
    const Tally candidates = cut.total();
    const CutTarget target = target_for(candidates);
    decide(list, target, cut.find(target));
    list.write([&](int block) { return masses_[block] != 0; }, params_.settings.dense_above,
               shared_.cut.warps);
  }

 private:
  static constexpr int kStride = kFilterThreads * kVector;

  static __device__ __forceinline__ int thread() { return static_cast<int>(threadIdx.x); }

  __device__ __forceinline__ const uint16_t* row(int i) const {
    const int64_t index = int64_t{head_} * params_.mass_rows + tile_ * kRows + i;
    return params_.block_masses + index * params_.mass_pitch;
  }

  /// Blocks in which the tile's last sampled row sees an average. Those behind have no entry.
  __device__ __forceinline__ int scored() const {
    const int step = kSelectionTileRows / kRows;
    const int last_sampled = params_.kv_offset + (tile_ * kRows + rows_) * step - 1;
    return scored_blocks(last_sampled, params_.settings.pooled_keys, kSelectionBlockKeys);
  }

  /// Masses of the rows' blocks from `first` on; zeros for rows that do not exist.
  __device__ __forceinline__ void load(int first, MassVector (&masses)[kRows]) const {
#pragma unroll
    for (int i = 0; i < kRows; ++i) {
      masses[i] = i < rows_ ? MassVector::load(row(i) + first) : MassVector::zero();
    }
  }

  /// What turns each row's masses into shares of its tile's mean or maximum. False where a row's
  /// mass is not a number. The order of summation is fixed.
  __device__ __forceinline__ bool find_factors() {
    if (thread() == 0) {
      shared_.has_nan = 0;
      shared_.forced_mass = 0;
    }
    float sums[kRows] = {};
    const int count = scored();
    for (int first = thread() * kVector; first < count; first += kStride) {
      load(first, held_);
#pragma unroll
      for (int i = 0; i < kRows; ++i) sums[i] += held_[i].sum(count - first);
    }
#pragma unroll
    for (int i = 0; i < kRows; ++i) {
#pragma unroll
      for (int distance = 16; distance > 0; distance /= 2) {
        sums[i] += __shfl_xor_sync(0xffffffff, sums[i], distance);
      }
      if (thread() % 32 == 0) shared_.warp_masses[i][thread() / 32] = sums[i];
    }
    __syncthreads();
    if (thread() < rows_) {
      float mass = 0.f;
#pragma unroll
      for (int warp = 0; warp < kFilterWarps; ++warp) mass += shared_.warp_masses[thread()][warp];
      if (!is_number(mass)) shared_.has_nan = 1;
      const float scale = uses_mean() ? kMassUnit / static_cast<float>(rows_) : kMassUnit;
      shared_.factors[thread()] = share_of_mass(mass) * scale;
    }
    __syncthreads();
    return shared_.has_nan == 0;
  }

  /// The masses of all blocks; adds those of the candidates to `cut`.
  __device__ __forceinline__ void find_masses(MassCut& cut) {
    const int count = scored();
    uint32_t forced = 0;
    for (int first = thread() * kVector; first < visible_; first += kStride) {
      // In short sequences each thread still holds what it has read before.
      if (visible_ > kStride && first < count) load(first, held_);
      float shares[kVector] = {};
      if (first < count) add_rows(shares);
#pragma unroll
      for (int i = 0; i < kVector; ++i) {
        const int block = first + i;
        if (block >= visible_) break;
        const uint32_t mass = block < count ? __float2uint_rd(shares[i]) : 0;
        masses_[block] = mass;
        if (is_forced(block)) {
          forced += mass;
        } else {
          cut.add(mass);
        }
      }
    }
    forced = __reduce_add_sync(0xffffffff, forced);
    if (thread() % 32 == 0 && forced > 0) atomicAdd(&shared_.forced_mass, forced);
  }

  __device__ __forceinline__ void add_rows(float (&shares)[kVector]) const {
    const bool mean = uses_mean();
#pragma unroll
    for (int i = 0; i < kRows; ++i) {
      if (i >= rows_) break;
      const float factor = shared_.factors[i];
      if (mean) {
#pragma unroll
        for (int j = 0; j < kVector; ++j) shares[j] = fmaf(held_[i].mass(j), factor, shares[j]);
      } else {
#pragma unroll
        for (int j = 0; j < kVector; ++j) shares[j] = fmaxf(held_[i].mass(j) * factor, shares[j]);
      }
    }
  }

  __device__ __forceinline__ bool uses_mean() const {
    return params_.settings.tiles.score == BlockScore::kMean;
  }

  __device__ __forceinline__ CutTarget target_for(const Tally& candidates) const {
    const SelectionSettings& settings = params_.settings;
    const uint32_t forced_mass = shared_.forced_mass;
    const uint32_t forced_count = static_cast<uint32_t>(visible_) - candidates.count;
    const uint32_t base = settings.count_forced_mass ? forced_mass : 0;
    const double alpha = fmaxf(alpha_, 0.f);
    const uint32_t wanted = __double2uint_ru(alpha * (double{1.0} * candidates.mass + base));
    const auto beyond_forced = [&](int bound) {
      return static_cast<uint32_t>(bound) > forced_count ? bound - forced_count : 0u;
    };
    CutTarget target;
    target.mass = wanted > base ? wanted - base : 0;
    target.min_count = min(beyond_forced(settings.min_blocks), candidates.count);
    target.max_count = settings.max_blocks > 0 ? beyond_forced(settings.max_blocks) : UINT32_MAX;
    return target;
  }

  /// Puts 1 in the place of the masses of blocks that are kept, 0 in that of others.
  __device__ __forceinline__ void decide(const ListWriter& list, const CutTarget& target,
                                         const Cut& cut) {
    Tally in_bin;
    for (int block = list.first(); block < list.end(); ++block) {
      if (is_in_bin(block, cut)) in_bin = in_bin + Tally{masses_[block], 1};
    }
    Tally total;
    Tally taken = cut.above + scan_exclusive(in_bin, shared_.cut.warps, total);
    for (int block = list.first(); block < list.end(); ++block) {
      bool kept = is_forced(block) || MassBins::of(masses_[block]) > cut.bin;
      if (is_in_bin(block, cut)) {
        kept = !target.reached(taken);
        taken = taken + Tally{masses_[block], 1};
      }
      masses_[block] = kept ? 1 : 0;
    }
  }

  __device__ __forceinline__ bool is_in_bin(int block, const Cut& cut) const {
    return !is_forced(block) && MassBins::of(masses_[block]) == cut.bin;
  }

  __device__ __forceinline__ bool is_forced(int block) const {
    return block < first_candidate_ || block >= end_candidates_;
  }

  __device__ __forceinline__ ListWriter writer() const {
    const int list = head_ * params_.tiles + tile_;
    return {params_.blocks + int64_t{list} * params_.max_blocks, params_.counts + list, visible_};
  }

  const TileFilterParams& params_;
  Shared& shared_;
  uint32_t* masses_;  // [visible_]
  int tile_;
  int head_;
  int visible_;  // blocks up to the tile's last position
  int rows_;     // sampled rows of the tile that exist
  int first_candidate_;
  int end_candidates_;
  float alpha_;
  bool everything_;
  MassVector held_[kRows];  // of the blocks that this thread has read last
};

template <int kRows>
__global__ void __launch_bounds__(kFilterThreads)
    tile_filter_kernel(const __grid_constant__ TileFilterParams params) {
  extern __shared__ __align__(16) uint32_t masses[];
  __shared__ typename TileFilter<kRows>::Shared shared;
  TileFilter<kRows>(params, shared, masses).run();
}

template <int kRows>
void launch(const TileFilterParams& params, cudaStream_t stream) {
  const auto entry = tile_filter_kernel<kRows>;
  const size_t shared_bytes = sizeof(uint32_t) * selection_blocks(params.kv_len);
  // Raising the limit takes longer than the kernel: once for all lengths, and only where it must
  // be.
  constexpr size_t kLargest = sizeof(uint32_t) * selection_blocks(kMaxSelectionKeys);
  constexpr size_t kDefaultLimit = 48 * 1024;
  if (shared_bytes + sizeof(typename TileFilter<kRows>::Shared) > kDefaultLimit) {
    LONGVIEW_CUDA(cudaFuncSetAttribute(entry, cudaFuncAttributeMaxDynamicSharedMemorySize,
                                       static_cast<int>(kLargest)));
  }
  const dim3 grid(params.tiles, params.num_heads);
  entry<<<grid, kFilterThreads, shared_bytes, stream>>>(params);
  LONGVIEW_CUDA(cudaGetLastError());
}

}  // namespace

void filter_tiles(const TileFilterParams& params, cudaStream_t stream) {
  if (params.settings.tiles.sampled_rows == 8) {
    launch<8>(params, stream);
  } else if (params.settings.tiles.sampled_rows == 16) {
    launch<16>(params, stream);
  } else {
    launch<32>(params, stream);
  }
}

}  // namespace longview::attention
