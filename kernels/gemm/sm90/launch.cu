#include "gemm/sm90/launch.h"

#include <algorithm>

#include "common/device.h"
#include "gemm/sm90/consumer.cuh"

namespace longview::gemm::sm90 {

namespace {

constexpr uint64_t kBf16Bytes = 2;

__device__ __forceinline__ void init_barriers(SharedStorage& shared) {
  for (int stage = 0; stage < Config::kStages; ++stage) {
    shared.full[stage].init(1);
    shared.empty[stage].init(Config::kEmptyArrivals);
  }
  ::longview::sm90::fence_barrier_init();
}

/// One loading warpgroup and two computing ones; blocks stay until all tiles are done.
template <Epilogue kEpilogue>
__global__ void __cluster_dims__(Config::kClusterBlocks, 1, 1)
    __launch_bounds__(Config::kThreads, 1)
        gemm_kernel(const __grid_constant__ KernelParams params) {
  extern __shared__ __align__(1024) uint8_t shared_bytes[];
  auto& shared = *reinterpret_cast<SharedStorage*>(shared_bytes);
  const int warpgroup = ::longview::sm90::warpgroup_index();
  const uint32_t block = ::longview::sm90::cluster_block_index();

  if (threadIdx.x == 0) {
    ::longview::sm90::prefetch_tensor_map(&params.activations);
    ::longview::sm90::prefetch_tensor_map(&params.weights);
    ::longview::sm90::prefetch_tensor_map(&params.output);
    init_barriers(shared);
  }
  ::longview::sm90::cluster_sync();

  if (warpgroup == 0) {
    ::longview::sm90::release_registers<Config::kLoaderRegisters>();
    if (threadIdx.x == 0) load_tiles(params, shared, block);
  } else {
    ::longview::sm90::acquire_registers<Config::kConsumerRegisters>();
    Consumer<kEpilogue>(params, shared, block, warpgroup - 1).run();
  }
  // Until both blocks are done, each may still write into the other's memory.
  __syncwarp();
  ::longview::sm90::cluster_sync();
}

CUtensorMap map_of(const TensorMapEncoder& encoder, const void* data, int rows, int columns,
                   int box_rows) {
  return encoder.encode({data,
                         {static_cast<uint64_t>(columns), static_cast<uint64_t>(rows)},
                         {columns * kBf16Bytes},
                         {Config::kTileK, static_cast<uint32_t>(box_rows)}});
}

constexpr int tiles(int size, int tile) { return (size + tile - 1) / tile; }

template <Epilogue kEpilogue>
void launch(const KernelParams& kernel, int multiprocessors, cudaStream_t stream) {
  LONGVIEW_CUDA(cudaFuncSetAttribute(gemm_kernel<kEpilogue>,
                                     cudaFuncAttributeMaxDynamicSharedMemorySize,
                                     sizeof(SharedStorage)));
  const int clusters =
      std::min(kernel.row_pairs * kernel.column_tiles, multiprocessors / Config::kClusterBlocks);
  gemm_kernel<kEpilogue><<<clusters * Config::kClusterBlocks, Config::kThreads,
                           sizeof(SharedStorage), stream>>>(kernel);
  LONGVIEW_CUDA(cudaGetLastError());
}

}  // namespace

GemmDevice make_gemm_device() {
  return {TensorMapEncoder(), device_attribute(cudaDevAttrMultiProcessorCount)};
}

void launch_gemm(const GemmParams& params, const GemmDevice& device, cudaStream_t stream) {
  const bool is_swiglu = params.epilogue == Epilogue::kSwiglu;
  KernelParams kernel{};
  kernel.activations = map_of(device.encoder, params.activations, params.tokens,
                              params.in_features, Config::kTileM);
  kernel.weights = map_of(device.encoder, params.weights, params.out_features, params.in_features,
                          Config::kLoadedN);
  kernel.output = map_of(device.encoder, params.output, params.tokens,
                         params.out_features / (is_swiglu ? 2 : 1), Config::kWarpgroupRows);
  kernel.bias = params.bias;
  kernel.residual = static_cast<const uint16_t*>(params.residual);
  kernel.tokens = params.tokens;
  kernel.out_features = params.out_features;
  kernel.k_steps = params.in_features / Config::kTileK;
  kernel.row_pairs = tiles(params.tokens, Config::kTileM * Config::kClusterBlocks);
  kernel.column_tiles = tiles(params.out_features, Config::kTileN);
  switch (params.epilogue) {
    case Epilogue::kNone:
      return launch<Epilogue::kNone>(kernel, device.multiprocessors, stream);
    case Epilogue::kBias:
      return launch<Epilogue::kBias>(kernel, device.multiprocessors, stream);
    case Epilogue::kResidual:
      return launch<Epilogue::kResidual>(kernel, device.multiprocessors, stream);
    case Epilogue::kSwiglu:
      return launch<Epilogue::kSwiglu>(kernel, device.multiprocessors, stream);
  }
}

}  // namespace longview::gemm::sm90
