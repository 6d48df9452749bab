// Stage 1 of SampleAttention for sm_90a: scores of sampled queries, reduced to masses of blocks.
#pragma once

#include "attention/sampling/sm90/consumer.cuh"
#include "attention/sampling/sm90/loader.cuh"

namespace longview::attention::sm90 {

template <class Config>
__global__ void __launch_bounds__(Config::kThreads, 1)
    sampling_kernel(const __grid_constant__ SamplingKernelParams params) {
  extern __shared__ __align__(1024) uint8_t shared_bytes[];
  auto& shared = *reinterpret_cast<SamplingStorage<Config>*>(shared_bytes);
  const int warpgroup = ::longview::sm90::warpgroup_index();

  if (threadIdx.x == 0) {
    ::longview::sm90::prefetch_tensor_map(&params.query);
    ::longview::sm90::prefetch_tensor_map(&params.key);
    shared.query_full.init(1);
    shared.query_empty.init(Config::kConsumerWarps);
    for (int stage = 0; stage < Config::kStages; ++stage) {
      shared.key_full[stage].init(1);
      shared.key_empty[stage].init(Config::kConsumerWarps);
    }
    ::longview::sm90::fence_barrier_init();
  }
  __syncthreads();

  if (warpgroup == 0) {
    ::longview::sm90::release_registers<Config::kLoaderRegisters>();
    if (threadIdx.x == 0) SamplingLoader<Config>(params, shared).run();
  } else {
    ::longview::sm90::acquire_registers<Config::kConsumerRegisters>();
    SamplingConsumer<Config>(params, shared, warpgroup - 1).run();
  }
}

}  // namespace longview::attention::sm90
