// Bulk tensor copies (TMA) of sm_90 between global and shared memory.
#pragma once

#include <cuda.h>

#include "common/sm90/barrier.cuh"

namespace longview::sm90 {

/// How long copied lines should stay in L2; the values are the hardware's policy words.
enum class CachePolicy : uint64_t {
  kEvictNormal = 0x1000000000000000,
  kEvictFirst = 0x12F0000000000000,
  kEvictLast = 0x14F0000000000000,
};

__device__ __forceinline__ void prefetch_tensor_map(const CUtensorMap* map) {
  asm volatile("prefetch.tensormap [%0];" ::"l"(map) : "memory");
}

/// Copies `bytes` that lie behind one another; both addresses and the count are multiples of 16.
/// They count towards `barrier`.
__device__ __forceinline__ void bulk_load(void* shared, const void* global, uint32_t bytes,
                                          Mbarrier* barrier, CachePolicy policy) {
  asm volatile(
      "cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes.L2::cache_hint "
      "[%0], [%1], %2, [%3], %4;" ::"r"(shared_address(shared)),
      "l"(global), "r"(bytes), "r"(shared_address(barrier)), "l"(static_cast<uint64_t>(policy))
      : "memory");
}

/// Copies one box of a 2-d tensor; its bytes count towards `barrier`.
__device__ __forceinline__ void tma_load_2d(void* shared, const CUtensorMap* map, Mbarrier* barrier,
                                            CachePolicy policy, int c0, int c1) {
  asm volatile(
      "cp.async.bulk.tensor.2d.shared::cluster.global.mbarrier::complete_tx::bytes"
      ".L2::cache_hint [%0], [%1, {%3, %4}], [%2], %5;" ::"r"(shared_address(shared)),
      "l"(map), "r"(shared_address(barrier)), "r"(c0), "r"(c1), "l"(static_cast<uint64_t>(policy))
      : "memory");
}

/// The same into the shared memory of every block of the cluster that `blocks` has a bit for, at
/// the same place in each, and towards the barrier at the same place.
__device__ __forceinline__ void tma_multicast_2d(void* shared, const CUtensorMap* map,
                                                 Mbarrier* barrier, uint16_t blocks,
                                                 CachePolicy policy, int c0, int c1) {
  asm volatile(
      "cp.async.bulk.tensor.2d.shared::cluster.global.mbarrier::complete_tx::bytes"
      ".multicast::cluster.L2::cache_hint [%0], [%1, {%3, %4}], [%2], %5, %6;" ::"r"(
          shared_address(shared)),
      "l"(map), "r"(shared_address(barrier)), "r"(c0), "r"(c1), "h"(blocks),
      "l"(static_cast<uint64_t>(policy))
      : "memory");
}

/// Copies `bytes` contiguous bytes, a multiple of 16 as both addresses are; they count towards
/// `barrier`.
__device__ __forceinline__ void bulk_load(void* shared, const void* global, Mbarrier* barrier,
                                          uint32_t bytes) {
  asm volatile(
      "cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1], %2, [%3];" ::
          "r"(shared_address(shared)),
      "l"(global), "r"(bytes), "r"(shared_address(barrier))
      : "memory");
}

/// Copies one box from shared memory to a 2-d tensor; what lies outside the tensor is left out.
/// Belongs to the calling thread's open group of stores.
__device__ __forceinline__ void tma_store_2d(const CUtensorMap* map, const void* shared, int c0,
                                             int c1) {
  asm volatile(
      "cp.async.bulk.tensor.2d.global.shared::cta.bulk_group [%0, {%2, %3}], [%1];" ::"l"(map),
      "r"(shared_address(shared)), "r"(c0), "r"(c1)
      : "memory");
}

/// Closes the calling thread's group of stores.
__device__ __forceinline__ void tma_store_commit() {
  asm volatile("cp.async.bulk.commit_group;" ::: "memory");
}

/// Waits until at most `kPending` of the thread's groups of stores still read shared memory.
template <int kPending>
__device__ __forceinline__ void tma_store_wait_read() {
  asm volatile("cp.async.bulk.wait_group.read %0;" ::"n"(kPending) : "memory");
}

/// Makes this thread's writes to shared memory visible to the copy engine.
__device__ __forceinline__ void fence_shared_for_tma() {
  asm volatile("fence.proxy.async.shared::cta;" ::: "memory");
}

/// Copies one box of a 4-d tensor; its bytes count towards `barrier`.
__device__ __forceinline__ void tma_load_4d(void* shared, const CUtensorMap* map, Mbarrier* barrier,
                                            CachePolicy policy, int c0, int c1, int c2, int c3) {
  asm volatile(
      "cp.async.bulk.tensor.4d.shared::cluster.global.mbarrier::complete_tx::bytes"
      ".L2::cache_hint [%0], [%1, {%3, %4, %5, %6}], [%2], %7;" ::"r"(shared_address(shared)),
      "l"(map), "r"(shared_address(barrier)), "r"(c0), "r"(c1), "r"(c2), "r"(c3),
      "l"(static_cast<uint64_t>(policy))
      : "memory");
}

/// The same of a 5-d tensor.
__device__ __forceinline__ void tma_load_5d(void* shared, const CUtensorMap* map, Mbarrier* barrier,
                                            CachePolicy policy, int c0, int c1, int c2, int c3,
                                            int c4) {
  asm volatile(
      "cp.async.bulk.tensor.5d.shared::cluster.global.mbarrier::complete_tx::bytes"
      ".L2::cache_hint [%0], [%1, {%3, %4, %5, %6, %7}], [%2], %8;" ::"r"(shared_address(shared)),
      "l"(map), "r"(shared_address(barrier)), "r"(c0), "r"(c1), "r"(c2), "r"(c3), "r"(c4),
      "l"(static_cast<uint64_t>(policy))
      : "memory");
}

}  // namespace longview::sm90
