// Requests for data that is needed soon.
#pragma once

namespace longview::decoder {

/// Fetches the 32 bytes around `address` into the second-level cache.
__device__ inline void prefetch_to_l2(const void* address) {
  asm volatile("prefetch.global.L2 [%0];" ::"l"(address));
}

}  // namespace longview::decoder
