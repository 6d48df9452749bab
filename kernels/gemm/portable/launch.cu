#include "gemm/portable/launch.h"

#include "gemm/portable/kernel.cuh"

namespace longview::gemm::portable {

void launch_gemm(const Product& product, cudaStream_t stream) { launch<Bf16>(product, stream); }

}  // namespace longview::gemm::portable
