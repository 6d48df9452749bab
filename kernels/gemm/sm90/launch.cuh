// The sm_90a kernel and its launch, for one configuration.
#pragma once

#include <algorithm>

#include "common/programmatic_launch.cuh"
#include "gemm/product.h"
#include "gemm/sm90/consumer.cuh"
#include "gemm/sm90/launch.h"

namespace longview::gemm::sm90 {

template <class Config>
__device__ __forceinline__ void init_barriers(SharedStorage<Config>& shared) {
  for (int stage = 0; stage < Config::kStages; ++stage) {
    shared.full[stage].init(1);
    shared.empty[stage].init(Config::kEmptyArrivals);
  }
  for (int consumer = 0; consumer < Config::kConsumers; ++consumer) {
    for (int buffer = 0; buffer < Config::kOutputBuffers; ++buffer) {
      shared.patch_full[consumer][buffer].init(kWarpsPerWarpgroup);
      shared.patch_ready[consumer][buffer].init(1);
    }
  }
  ::longview::sm90::fence_barrier_init();
}

/// One warpgroup that moves data (a warp that loads, one for the output of each computing warpgroup)
/// and two that compute; blocks stay until all tiles are done.
template <class Config, Epilogue kEpilogue>
__global__ void __cluster_dims__(Config::kClusterBlocks, 1, 1)
    __launch_bounds__(Config::kThreads, 1)
        gemm_kernel(const __grid_constant__ KernelParams params) {
  extern __shared__ __align__(1024) uint8_t shared_bytes[];
  auto& shared = *reinterpret_cast<SharedStorage<Config>*>(shared_bytes);
  const int warpgroup = ::longview::sm90::warpgroup_index();

  let_next_kernel_start();
  if (threadIdx.x == 0) {
    ::longview::sm90::prefetch_tensor_map(&params.activations);
    ::longview::sm90::prefetch_tensor_map(&params.weights);
    ::longview::sm90::prefetch_tensor_map(&params.output);
    init_barriers(shared);
  }
  ::longview::sm90::cluster_sync();
  wait_for_previous_kernel();

  if (warpgroup == 0) {
    ::longview::sm90::release_registers<Config::kLoaderRegisters>();
    const int warp = ::longview::sm90::warp_index();
    if (::longview::sm90::lane_index() == 0) {
      if (warp == 0) {
        load_tiles(params, shared);
      } else if (warp <= Config::kConsumers) {
        PatchMover<Config, kEpilogue>(params, shared, warp - 1).run();
      }
    }
  } else {
    ::longview::sm90::acquire_registers<Config::kConsumerRegisters>();
    Consumer<Config, kEpilogue>(params, shared, warpgroup - 1).run();
  }
  // Until all blocks are done, each may still write into another's memory.
  __syncwarp();
  ::longview::sm90::cluster_sync();
}

/// Of a row-major matrix of `row_bytes` a row, in boxes of 128 bytes x `box_rows` rows.
inline CUtensorMap map_of(const TensorMapEncoder& encoder, const void* data, int rows, int row_bytes,
                          int box_rows) {
  constexpr int kWordBytes = 2;
  constexpr uint32_t kBoxWords = 64;
  return encoder.encode({data,
                         {static_cast<uint64_t>(row_bytes / kWordBytes), static_cast<uint64_t>(rows)},
                         {static_cast<uint64_t>(row_bytes)},
                         {kBoxWords, static_cast<uint32_t>(box_rows)}});
}

constexpr int tiles(int size, int tile) { return (size + tile - 1) / tile; }

/// Steps of one sum: each takes 128 bytes of a row of activations.
template <class Config>
int k_steps(const Product& product) {
  constexpr int kStepBytes = Config::kTileK * 2;
  return tiles(product.in_features * Config::Operand::kBytes, kStepBytes);
}

/// @throws CudaError when the launch fails.
template <class Config, Epilogue kEpilogue>
void launch(const Product& product, const GemmDevice& device, cudaStream_t stream) {
  using Shared = SharedStorage<Config>;
  static_assert(sizeof(Shared) <= kMaxSharedBytes);
  const int in_bytes = product.in_features * Config::Operand::kBytes;
  const int output_columns = product.out_features / kSumsPerOutput<kEpilogue>;
  const auto output_map = [&](const void* data) {
    return map_of(device.encoder, data, product.tokens, 2 * output_columns, Config::kSlabRows);
  };
  KernelParams kernel{};
  kernel.activations =
      map_of(device.encoder, product.activations, product.tokens, in_bytes, Config::kLoadedM);
  kernel.weights =
      map_of(device.encoder, product.weights, product.out_features, in_bytes, Config::kLoadedN);
  kernel.output = output_map(product.output);
  if (kEpilogue == Epilogue::kResidual) kernel.residual = output_map(product.residual);
  kernel.bias = product.bias;
  kernel.row_scales = product.activation_scales;
  kernel.column_scales = product.weight_scales;
  kernel.tokens = product.tokens;
  kernel.output_columns = output_columns;
  kernel.k_steps = k_steps<Config>(product);
  kernel.row_tiles = tiles(product.tokens, Config::kTileM * Config::kClusterM);
  kernel.column_tiles = tiles(product.out_features, Config::kTileN * Config::kClusterN);

  const auto function = gemm_kernel<Config, kEpilogue>;
  LONGVIEW_CUDA(cudaFuncSetAttribute(function, cudaFuncAttributeMaxDynamicSharedMemorySize,
                                     sizeof(Shared)));
  const int clusters = std::min(kernel.row_tiles * kernel.column_tiles,
                                device.multiprocessors / Config::kClusterBlocks);
  launch_programmatic(function, clusters * Config::kClusterBlocks, Config::kThreads, sizeof(Shared),
                      stream, kernel);
}

}  // namespace longview::gemm::sm90
