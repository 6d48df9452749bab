// The instantiations of the sm_90a kernel of sparse prefill; why these, see kernels/README.md.
#pragma once

#include "attention/dense/sm90/config.h"

namespace longview::attention::sm90 {

// A loading warp that keeps a list at hand needs more registers than one thread that counts.
constexpr int kSparseLoaderRegisters = 40;

using SparseConfig64 = PrefillConfig<64, 2, 192, 3, true, kSparseLoaderRegisters>;
using SparseConfig128 = PrefillConfig<128, 2, 128, 3, true, kSparseLoaderRegisters>;

}  // namespace longview::attention::sm90
