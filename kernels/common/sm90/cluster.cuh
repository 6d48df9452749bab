// Clusters of sm_90: blocks that run at the same time and reach each other's shared memory.
#pragma once

#include "common/sm90/barrier.cuh"

namespace longview::sm90 {

/// Index of the calling block within its cluster.
__device__ __forceinline__ uint32_t cluster_block_index() {
  uint32_t index;
  asm volatile("mov.u32 %0, %%cluster_ctarank;" : "=r"(index));
  return index;
}

/// Waits until every thread of the cluster has come here. Orders no memory: a release would cost a
/// fence of the whole device, and barriers have a fence of their own (fence_barrier_init).
__device__ __forceinline__ void cluster_sync() {
  asm volatile("barrier.cluster.arrive.relaxed.aligned;\nbarrier.cluster.wait.aligned;" :: : "memory");
}

/// Arrives at the barrier that lies where `barrier` does, in block `block` of the cluster. Orders no
/// memory beyond the calling block: release at the cluster's scope would cost a fence of the whole
/// device, and the readers of operands (wgmma) have finished by themselves.
__device__ __forceinline__ void arrive_in_block(Mbarrier* barrier, uint32_t block) {
  asm volatile(
      "{\n"
      ".reg .b32 remote;\n"
      "mapa.shared::cluster.u32 remote, %0, %1;\n"
      "mbarrier.arrive.shared::cluster.b64 _, [remote];\n"
      "}\n" ::"r"(shared_address(barrier)),
      "r"(block)
      : "memory");
}

}  // namespace longview::sm90
