// Causal prefill attention for sm_90a: one loading warpgroup, two or three computing ones.
// After FlashAttention-3 (Shah et al., 2024, arXiv:2407.08608), sections 3.1 and 3.2.
#pragma once

#include "attention/dense/sm90/consumer.cuh"
#include "attention/dense/sm90/loader.cuh"

namespace longview::attention::sm90 {

template <class Config, class Ticket>
__device__ __forceinline__ void init_barriers(SharedStorage<Config, Ticket>& shared) {
  shared.query_full.init(1);
  shared.query_empty.init(Config::kConsumerWarps);
  for (int stage = 0; stage < Config::kStages; ++stage) {
    shared.key_full[stage].init(1);
    shared.value_full[stage].init(1);
    shared.key_empty[stage].init(Config::kConsumerWarps);
    shared.value_empty[stage].init(Config::kConsumerWarps);
  }
  ::longview::sm90::fence_barrier_init();
}

/// One block: its first threads load, the other warpgroups compute. It stays until all query tiles
/// are done.
template <class Config, class Work, class Loader>
__device__ __forceinline__ void run_block(const typename Work::Params& params) {
  extern __shared__ __align__(1024) uint8_t shared_bytes[];
  auto& shared = *reinterpret_cast<typename Loader::Shared*>(shared_bytes);
  const int warpgroup = ::longview::sm90::warpgroup_index();

  if (threadIdx.x == 0) {
    ::longview::sm90::prefetch_tensor_map(&params.query);
    for (const KvMaps* maps : {&params.key, &params.value}) {
      ::longview::sm90::prefetch_tensor_map(&maps->block);
      ::longview::sm90::prefetch_tensor_map(&maps->last_block);
    }
    init_barriers(shared);
  }
  __syncthreads();

  if (warpgroup == 0) {
    ::longview::sm90::release_registers<Config::kLoaderRegisters>();
    if (threadIdx.x < Loader::kThreads) Loader(params, shared).run();
  } else {
    ::longview::sm90::acquire_registers<Config::kConsumerRegisters>();
    Consumer<Config, Work>(params, shared, warpgroup - 1).run();
  }
}

template <class Config>
__global__ void __launch_bounds__(Config::kThreads, 1)
    dense_prefill_kernel(const __grid_constant__ PrefillKernelParams params) {
  run_block<Config, DenseWork<Config>, Loader<Config>>(params);
}

}  // namespace longview::attention::sm90
