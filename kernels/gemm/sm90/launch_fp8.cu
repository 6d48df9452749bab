#include "gemm/sm90/dispatch.cuh"

namespace longview::gemm::sm90 {

void launch_fp8_gemm(const Product& product, const GemmDevice& device, cudaStream_t stream) {
  dispatch<E4m3>(product, device, stream);
}

}  // namespace longview::gemm::sm90
