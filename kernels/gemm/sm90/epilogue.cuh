// From fp32 sums in wgmma's layout to bf16 in global memory.
#pragma once

#include "common/sm90/stmatrix.cuh"
#include "common/sm90/tma.cuh"
#include "gemm/bf16_pair.cuh"
#include "gemm/sm90/tile_schedule.cuh"
#include "gemm/swiglu.cuh"

namespace longview::gemm::sm90 {

/// The residual's elements where a thread holds sums; nothing for the other epilogues. Read before
/// the products, so that its way from memory is hidden.
template <Epilogue kEpilogue>
struct Residual {
  __device__ __forceinline__ void load(const KernelParams&, int, int) {}
};

template <>
struct Residual<Epilogue::kResidual> {
  uint32_t pairs[Config::kAccumulators / 2];

  /// `row` and `column` are those of the thread's first element.
  __device__ __forceinline__ void load(const KernelParams& params, int row, int column) {
#pragma unroll
    for (int pair = 0; pair < Config::kAccumulators / 2; ++pair) {
      const int pair_row = row + 8 * (pair % 2);
      const int pair_column = column + 8 * (pair / 2);
      const bool inside = pair_row < params.tokens && pair_column < params.out_features;
      const int64_t offset = static_cast<int64_t>(pair_row) * params.out_features + pair_column;
      pairs[pair] = inside ? load_now(params.residual + offset) : 0;
    }
  }

 private:
  /// A load that the compiler leaves where it stands.
  static __device__ __forceinline__ uint32_t load_now(const uint16_t* address) {
    uint32_t pair;
    asm volatile("ld.global.b32 %0, [%1];" : "=r"(pair) : "l"(address) : "memory");
    return pair;
  }
};

/// Turns the sums of one tile into output. One warpgroup, 64 rows.
template <Epilogue kEpilogue>
class EpilogueStore {
 public:
  __device__ EpilogueStore(const KernelParams& params, SharedStorage& shared, int consumer)
      : params_(params), shared_(shared), consumer_(consumer) {}

  __device__ __forceinline__ void run(const Tile& tile,
                                      const float (&sums)[Config::kAccumulators],
                                      const Residual<kEpilogue>& residual) {
    constexpr int kBlocks = kOutputColumns / Config::kStoreColumns;
    const int first_row = tile.first_row + consumer_ * Config::kWarpgroupRows;
    const int first_column = tile.first_column / (kIsSwiglu ? 2 : 1);
#pragma unroll
    for (int block = 0; block < kBlocks; ++block) {
      uint16_t* const buffer = shared_.output[consumer_][block % Config::kStoreBuffers];
      // The store before the last one has read this buffer.
      if (is_storing_thread()) ::longview::sm90::tma_store_wait_read<Config::kStoreBuffers - 1>();
      sync();
      write_block(buffer, tile, block, sums, residual);
      ::longview::sm90::fence_shared_for_tma();
      sync();
      if (is_storing_thread()) {
        ::longview::sm90::tma_store_2d(&params_.output, buffer,
                                       first_column + block * Config::kStoreColumns, first_row);
        ::longview::sm90::tma_store_commit();
      }
    }
  }

 private:
  static constexpr bool kIsSwiglu = kEpilogue == Epilogue::kSwiglu;
  static constexpr int kOutputColumns = Config::kTileN / (kIsSwiglu ? 2 : 1);
  static constexpr int kFirstNamedBarrier = 1;

  __device__ __forceinline__ static bool is_storing_thread() {
    return threadIdx.x % kWarpgroupSize == 0;
  }

  __device__ __forceinline__ void sync() const {
    ::longview::sm90::named_barrier_sync(kFirstNamedBarrier + consumer_, kWarpgroupSize);
  }

  /// Writes 64 columns of the output, as the swizzled rows of 128 bytes that the store reads.
  __device__ __forceinline__ void write_block(uint16_t* buffer, const Tile& tile, int block,
                                              const float (&sums)[Config::kAccumulators],
                                              const Residual<kEpilogue>& residual) const {
    const int lane = ::longview::sm90::lane_index();
    const int warp = ::longview::sm90::warp_index() % kWarpsPerWarpgroup;
    const int row = warp * 16 + lane % 16;
    const uint32_t row_address = ::longview::sm90::shared_address(buffer) + row * 128;
#pragma unroll
    for (int step = 0; step < Config::kStoreColumns / 16; ++step) {
      // Matrices: rows 0-7 and 8-15 of one group of 8 columns, then of the next.
      const int group = block * (Config::kStoreColumns / 8) + 2 * step;
      uint32_t words[4];
#pragma unroll
      for (int matrix = 0; matrix < 4; ++matrix) {
        words[matrix] = pair_of(tile, group + matrix / 2, matrix % 2, sums, residual);
      }
      const int piece = 2 * step + lane / 16;
      ::longview::sm90::store_matrices(row_address + ((piece ^ (row & 7)) << 4), words);
    }
  }

  /// The thread's two neighbouring outputs in columns 8 * group and on; `half` 1: 8 rows below.
  __device__ __forceinline__ uint32_t pair_of(const Tile& tile, int group, int half,
                                              const float (&sums)[Config::kAccumulators],
                                              const Residual<kEpilogue>& residual) const {
    if constexpr (kIsSwiglu) {
      const int gate = 8 * group + 2 * half;  // groups of sums take turns: gates, ups
      return to_bf16_pair(swiglu(sums[gate], sums[gate + 4]),
                          swiglu(sums[gate + 1], sums[gate + 5]));
    } else {
      float low = sums[4 * group + 2 * half];
      float high = sums[4 * group + 2 * half + 1];
      if constexpr (kEpilogue == Epilogue::kBias) {
        const int column =
            tile.first_column + 8 * group + 2 * (::longview::sm90::lane_index() % 4);
        if (column < params_.out_features) {
          const float2 bias = *reinterpret_cast<const float2*>(params_.bias + column);
          low += bias.x;
          high += bias.y;
        }
      }
      if constexpr (kEpilogue == Epilogue::kResidual) {
        const float2 added = from_bf16_pair(residual.pairs[2 * group + half]);
        low += added.x;
        high += added.y;
      }
      return to_bf16_pair(low, high);
    }
  }

  const KernelParams& params_;
  SharedStorage& shared_;
  const int consumer_;
};

}  // namespace longview::gemm::sm90
