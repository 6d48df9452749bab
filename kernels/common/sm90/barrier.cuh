// Shared-memory barriers (mbarrier) and named barriers of sm_90, as thin wrappers over PTX.
#pragma once

#include <cstdint>

namespace longview::sm90 {

__device__ __forceinline__ uint32_t shared_address(const void* pointer) {
  return static_cast<uint32_t>(__cvta_generic_to_shared(pointer));
}

/// A phase barrier in shared memory: a phase completes when all arrivals and all announced bytes
/// have come. Waiters name the parity of the phase they wait for.
struct Mbarrier {
  uint64_t state;

  __device__ __forceinline__ void init(uint32_t arrivals) {
    asm volatile("mbarrier.init.shared::cta.b64 [%0], %1;" ::"r"(shared_address(this)),
                 "r"(arrivals)
                 : "memory");
  }

  __device__ __forceinline__ void arrive() {
    asm volatile("mbarrier.arrive.shared::cta.b64 _, [%0];" ::"r"(shared_address(this)) : "memory");
  }

  /// Arrives `count` times.
  __device__ __forceinline__ void arrive(uint32_t count) {
    asm volatile("mbarrier.arrive.shared::cta.b64 _, [%0], %1;" ::"r"(shared_address(this)),
                 "r"(count)
                 : "memory");
  }

  /// Arrives once the thread's asynchronous copies so far (common/sm80/async_copy.cuh) are done.
  __device__ __forceinline__ void arrive_after_copies() {
    asm volatile("cp.async.mbarrier.arrive.noinc.shared::cta.b64 [%0];" ::"r"(shared_address(this))
                 : "memory");
  }

  /// Arrives and announces `bytes` that the copy engine will deliver in this phase.
  __device__ __forceinline__ void arrive_and_expect(uint32_t bytes) {
    asm volatile(
        "mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" ::"r"(shared_address(this)),
        "r"(bytes)
        : "memory");
  }

  __device__ __forceinline__ void wait(uint32_t parity) {
    asm volatile(
        "{\n"
        ".reg .pred done;\n"
        "POLL:\n"
        "mbarrier.try_wait.parity.shared::cta.b64 done, [%0], %1;\n"
        "@done bra DONE;\n"
        "bra POLL;\n"
        "DONE:\n"
        "}\n" ::"r"(shared_address(this)),
        "r"(parity)
        : "memory");
  }

  /// The same, asleep until the phase ends: what does not look again and again saves power.
  __device__ __forceinline__ void wait_asleep(uint32_t parity) {
    constexpr uint32_t kLongestNapNs = 10000000;
    asm volatile(
        "{\n"
        ".reg .pred done;\n"
        "POLL:\n"
        "mbarrier.try_wait.parity.shared::cta.b64 done, [%0], %1, %2;\n"
        "@done bra DONE;\n"
        "bra POLL;\n"
        "DONE:\n"
        "}\n" ::"r"(shared_address(this)),
        "r"(parity), "r"(kLongestNapNs)
        : "memory");
  }
};

/// Makes initialised barriers visible to the copy engine.
__device__ __forceinline__ void fence_barrier_init() {
  asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory");
}

/// Waits at hardware barrier `id` until `threads` threads have arrived or wait there.
__device__ __forceinline__ void named_barrier_sync(uint32_t id, uint32_t threads) {
  asm volatile("bar.sync %0, %1;" ::"r"(id), "r"(threads) : "memory");
}

/// Arrives at hardware barrier `id` without waiting.
__device__ __forceinline__ void named_barrier_arrive(uint32_t id, uint32_t threads) {
  asm volatile("bar.arrive %0, %1;" ::"r"(id), "r"(threads) : "memory");
}

/// Position in a ring of `kStages` buffers, with the parity of its current round.
template <int kStages>
struct RingPosition {
  int stage = 0;
  uint32_t parity = 0;

  __device__ __forceinline__ void advance() {
    if (++stage == kStages) {
      stage = 0;
      parity ^= 1;
    }
  }

  __device__ __forceinline__ void advance_by(int count) {
    stage += count;
    parity ^= (stage / kStages) & 1;
    stage %= kStages;
  }
};

}  // namespace longview::sm90
