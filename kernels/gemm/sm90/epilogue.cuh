// From fp32 sums in wgmma's layout to bf16 in shared memory.
#pragma once

#include "common/sm90/stmatrix.cuh"
#include "gemm/bf16_pair.cuh"
#include "gemm/sm90/patches.cuh"
#include "gemm/swiglu.cuh"

namespace longview::gemm::sm90 {

/// The scales of the rows that a thread holds sums of.
template <class Config>
struct RowScales {
  float values[Config::kSlabs][2];

  /// `first_row` is the warpgroup's.
  __device__ __forceinline__ void load(const KernelParams& params, int first_row) {
    if constexpr (Config::Operand::kIsScaled) {
      const int warp = ::longview::sm90::warp_index() % kWarpsPerWarpgroup;
      const int row = first_row + 16 * warp + ::longview::sm90::lane_index() / 4;
#pragma unroll
      for (int i = 0; i < 2 * Config::kSlabs; ++i) {
        const int at = row + i / 2 * Config::kSlabRows + i % 2 * 8;
        values[i / 2][i % 2] = at < params.tokens ? params.row_scales[at] : 0.f;
      }
    }
  }
};

/// Turns the sums of one tile into output, patch by patch. One warpgroup.
template <class Config, Epilogue kEpilogue>
class EpilogueWriter {
 public:
  using Sums = float[Config::kSlabs][Config::kSlabSums];

  __device__ EpilogueWriter(SharedStorage<Config>& shared, int consumer)
      : shared_(shared), consumer_(consumer) {}

  __device__ __forceinline__ void run(const Sums& sums, const RowScales<Config>& row_scales) {
    using Patches = PatchSchedule<Config, kEpilogue>;
#pragma unroll
    for (int index = 0; index < Patches::kPerTile; ++index) {
      const int buffer = ring_.stage;
      const int slab = index / Patches::kColumnBlocks;
      shared_.patch_ready[consumer_][buffer].wait_asleep(ring_.parity ^
                                                         !kIsFilledFirst<Config, kEpilogue>);
      write_patch(buffer, index % Patches::kColumnBlocks, sums[slab], row_scales.values[slab]);
      ::longview::sm90::fence_shared_for_tma();
      __syncwarp();
      if (::longview::sm90::lane_index() == 0) shared_.patch_full[consumer_][buffer].arrive();
      ring_.advance();
    }
  }

 private:
  /// Writes swizzled rows of 128 bytes, as the store reads them. A residual is replaced where it lies.
  __device__ __forceinline__ void write_patch(int buffer, int column_block,
                                              const float (&sums)[Config::kSlabSums],
                                              const float (&row_scales)[2]) const {
    const int lane = ::longview::sm90::lane_index();
    const int warp = ::longview::sm90::warp_index() % kWarpsPerWarpgroup;
    const int row = warp * 16 + lane % 16;
    const uint32_t row_address =
        ::longview::sm90::shared_address(shared_.output[consumer_][buffer]) + row * 128;
    const float* const column_values = shared_.column_values[consumer_][buffer] + 2 * (lane % 4);
#pragma unroll
    for (int step = 0; step < Config::kPatchColumns / 16; ++step) {
      const int piece = 2 * step + lane / 16;
      const uint32_t address = row_address + ((piece ^ (row & 7)) << 4);
      uint32_t words[4]{};
      if constexpr (kEpilogue == Epilogue::kResidual) {
        ::longview::sm90::load_matrices(address, words);
      }
#pragma unroll
      for (int matrix = 0; matrix < 4; ++matrix) {
        // Matrices: rows 0-7 and 8-15 of one group of 8 columns, then of the next.
        const int patch_group = 2 * step + matrix / 2;
        const int half = matrix % 2;
        const int group = column_block * (Config::kPatchColumns / 8) + patch_group;
        words[matrix] = pair_of(sums + 4 * kSumsPerOutput<kEpilogue> * group + 2 * half,
                                column_values, patch_group, row_scales[half], words[matrix]);
      }
      ::longview::sm90::store_matrices(address, words);
    }
  }

  /// The thread's two neighbouring outputs in one row of columns 8 * patch_group and on of a patch.
  /// `sums` are theirs, with kSwiglu the gates', and 4 further the ups'.
  static __device__ __forceinline__ uint32_t pair_of(const float* sums, const float* column_values,
                                                     int patch_group, float row_scale,
                                                     uint32_t residual) {
    if constexpr (kEpilogue == Epilogue::kSwiglu) {
      const float2 gates = scaled(sums, column_values + 16 * patch_group, row_scale);
      const float2 ups = scaled(sums + 4, column_values + 16 * patch_group + 8, row_scale);
      return to_bf16_pair(swiglu(gates.x, ups.x), swiglu(gates.y, ups.y));
    } else {
      float2 outputs = scaled(sums, column_values + 8 * patch_group, row_scale);
      if constexpr (kEpilogue == Epilogue::kBias) {
        outputs = sum(outputs, pair_at(column_values + kBiasOffset<Config> + 8 * patch_group));
      }
      if constexpr (kEpilogue == Epilogue::kResidual) {
        outputs = sum(outputs, from_bf16_pair(residual));
      }
      return to_bf16_pair(outputs.x, outputs.y);
    }
  }

  static __device__ __forceinline__ float2 scaled(const float* sums, const float* column_scales,
                                                  float row_scale) {
    if constexpr (Config::Operand::kIsScaled) {
      const float2 scales = pair_at(column_scales);
      return {sums[0] * (row_scale * scales.x), sums[1] * (row_scale * scales.y)};
    } else {
      return {sums[0], sums[1]};
    }
  }

  static __device__ __forceinline__ float2 pair_at(const float* values) {
    return *reinterpret_cast<const float2*>(values);
  }

  static __device__ __forceinline__ float2 sum(float2 a, float2 b) {
    return {a.x + b.x, a.y + b.y};
  }

  SharedStorage<Config>& shared_;
  const int consumer_;
  RingPosition<Config::kOutputBuffers> ring_;
};

}  // namespace longview::gemm::sm90
