// Asynchronous copies from global into shared memory (compute capability 8.0 and newer).
#pragma once

#include <cuda_runtime_api.h>

#include <cstdint>

namespace longview::sm80 {

__device__ __forceinline__ uint32_t shared_address(const void* shared) {
  return static_cast<uint32_t>(__cvta_generic_to_shared(shared));
}

/// Copies 16 bytes past the first-level cache; both addresses are aligned to 16. Where `exists` is
/// false, nothing is read and the 16 bytes become zero.
__device__ __forceinline__ void copy_16_async(uint32_t shared, const void* global, bool exists) {
  asm volatile("cp.async.cg.shared.global.L2::128B [%0], [%1], 16, %2;" ::"r"(shared), "l"(global),
               "r"(exists ? 16 : 0)
               : "memory");
}

/// Ends the group of the thread's copies since the last call.
__device__ __forceinline__ void commit_copies() {
  asm volatile("cp.async.commit_group;" ::: "memory");
}

/// Waits until at most `kPending` of the thread's latest groups are still under way.
template <int kPending>
__device__ __forceinline__ void wait_for_copies() {
  asm volatile("cp.async.wait_group %0;" ::"n"(kPending) : "memory");
}

}  // namespace longview::sm80
