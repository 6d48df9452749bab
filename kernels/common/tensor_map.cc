#include "common/tensor_map.h"

#include <cudaTypedefs.h>

#include "common/cuda_error.h"

namespace longview {

namespace {

// cuTensorMapEncodeTiled exists since CUDA 12.0.
constexpr unsigned kDriverVersion = 12000;

}  // namespace

TensorMapEncoder::TensorMapEncoder() {
  cudaDriverEntryPointQueryResult found = cudaDriverEntryPointSymbolNotFound;
  LONGVIEW_CUDA(cudaGetDriverEntryPointByVersion("cuTensorMapEncodeTiled", &encode_tiled_,
                                                 kDriverVersion, cudaEnableDefault, &found));
  if (found != cudaDriverEntryPointSuccess || encode_tiled_ == nullptr) {
    throw CudaError(cudaErrorSymbolNotFound, "the driver has no cuTensorMapEncodeTiled",
                    "cudaGetDriverEntryPointByVersion", __FILE__, __LINE__);
  }
}

CUtensorMap TensorMapEncoder::encode(const Bf16Tensor& tensor) const {
  const auto encode_tiled = reinterpret_cast<PFN_cuTensorMapEncodeTiled_v12000>(encode_tiled_);
  const std::vector<uint32_t> element_steps(tensor.extents.size(), 1);
  CUtensorMap map;
  const CUresult result =
      encode_tiled(&map, CU_TENSOR_MAP_DATA_TYPE_BFLOAT16,
                   static_cast<uint32_t>(tensor.extents.size()), const_cast<void*>(tensor.data),
                   tensor.extents.data(), tensor.strides_bytes.data(), tensor.box.data(),
                   element_steps.data(), CU_TENSOR_MAP_INTERLEAVE_NONE, CU_TENSOR_MAP_SWIZZLE_128B,
                   CU_TENSOR_MAP_L2_PROMOTION_L2_256B, CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE);
  if (result != CUDA_SUCCESS) {
    throw CudaError(result, "shape or alignment not accepted", "cuTensorMapEncodeTiled", __FILE__,
                    __LINE__);
  }
  return map;
}

}  // namespace longview
