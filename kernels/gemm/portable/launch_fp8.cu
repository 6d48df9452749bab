#include "gemm/portable/kernel.cuh"
#include "gemm/portable/launch.h"

namespace longview::gemm::portable {

void launch_fp8_gemm(const Product& product, cudaStream_t stream) { launch<E4m3>(product, stream); }

}  // namespace longview::gemm::portable
