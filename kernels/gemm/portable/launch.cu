#include "gemm/portable/launch.h"

#include "common/cuda_error.h"
#include "gemm/portable/kernel.cuh"

namespace longview::gemm::portable {

namespace {

template <Epilogue kEpilogue>
void launch(const GemmParams& params, cudaStream_t stream) {
  const int row_tiles = (params.tokens + Config::kTileM - 1) / Config::kTileM;
  const int column_tiles = (params.out_features + Config::kTileN - 1) / Config::kTileN;
  LONGVIEW_CUDA(cudaFuncSetAttribute(
      gemm_kernel<kEpilogue>, cudaFuncAttributeMaxDynamicSharedMemorySize, Config::kSharedBytes));
  gemm_kernel<kEpilogue><<<row_tiles * column_tiles, Config::kThreads, Config::kSharedBytes,
                           stream>>>(params, row_tiles, column_tiles);
  LONGVIEW_CUDA(cudaGetLastError());
}

}  // namespace

void launch_gemm(const GemmParams& params, cudaStream_t stream) {
  switch (params.epilogue) {
    case Epilogue::kNone:
      return launch<Epilogue::kNone>(params, stream);
    case Epilogue::kBias:
      return launch<Epilogue::kBias>(params, stream);
    case Epilogue::kResidual:
      return launch<Epilogue::kResidual>(params, stream);
    case Epilogue::kSwiglu:
      return launch<Epilogue::kSwiglu>(params, stream);
  }
}

}  // namespace longview::gemm::portable
