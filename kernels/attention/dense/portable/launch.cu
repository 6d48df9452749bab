#include <cmath>

#include "attention/dense/portable/launch.h"
#include "attention/dense/portable/prefill_kernel.cuh"
#include "common/cuda_error.h"

namespace longview::attention::portable {

namespace {

template <class Config>
void launch(const DensePrefillParams& params, cudaStream_t stream) {
  PrefillKernelParams kernel{};
  kernel.query = static_cast<const uint16_t*>(params.query);
  kernel.key = static_cast<const uint16_t*>(params.key);
  kernel.value = static_cast<const uint16_t*>(params.value);
  kernel.output = static_cast<uint16_t*>(params.output);
  kernel.block_table = params.block_table;
  kernel.q_len = params.q_len;
  kernel.kv_len = params.kv_len;
  kernel.num_heads = params.num_heads;
  kernel.num_kv_heads = params.num_kv_heads;
  kernel.heads_per_kv_head = params.num_heads / params.num_kv_heads;
  kernel.scale_log2 = params.softmax_scale * static_cast<float>(M_LOG2E);
  kernel.row_tiles =
      (params.q_len * kernel.heads_per_kv_head + Config::kTileRows - 1) / Config::kTileRows;

  const auto entry = dense_prefill_kernel<Config>;
  LONGVIEW_CUDA(cudaFuncSetAttribute(entry, cudaFuncAttributeMaxDynamicSharedMemorySize,
                                     Config::kSharedBytes));
  entry<<<kernel.row_tiles * params.num_kv_heads, Config::kThreads, Config::kSharedBytes, stream>>>(
      kernel);
  LONGVIEW_CUDA(cudaGetLastError());
}

}  // namespace

void launch_dense_prefill(const DensePrefillParams& params, cudaStream_t stream) {
  if (params.head_dim == 64) {
    launch<PrefillConfig<64>>(params, stream);
  } else {
    launch<PrefillConfig<128>>(params, stream);
  }
}

}  // namespace longview::attention::portable
