#include <cmath>

#include "attention/sampling/portable/launch.h"
#include "attention/sampling/portable/sampling_kernel.cuh"
#include "common/cuda_error.h"

namespace longview::attention::portable {

namespace {

template <int kHeadDim, int kPooledKeys>
void launch(const SamplingParams& params, cudaStream_t stream) {
  using Config = SamplingConfig<kHeadDim, kPooledKeys>;
  SamplingKernelParams kernel{};
  kernel.query = static_cast<const uint16_t*>(params.query);
  kernel.pooled_key = static_cast<const uint16_t*>(params.pooled_key);
  kernel.block_table = params.block_table;
  kernel.block_masses = params.block_masses;
  kernel.pitch = mass_pitch(params.kv_len);
  kernel.pool_blocks = kv_blocks(params.kv_len);
  kernel.num_heads = params.num_heads;
  kernel.num_kv_heads = params.num_kv_heads;
  kernel.heads_per_kv_head = params.num_heads / params.num_kv_heads;
  kernel.rows = params.rows;
  kernel.kv_offset = params.kv_len - params.q_len;
  kernel.q_len = params.q_len;
  kernel.scale_log2 = params.softmax_scale * static_cast<float>(M_LOG2E);

  const int pairs = params.rows.groups * kernel.heads_per_kv_head;
  kernel.key_rows =
      params.pooled_keys == 1 ? params.kv_len : kernel.pool_blocks * Config::Keys::kPoolBlockRows;
  const int tiles = (kernel.key_rows + Config::Keys::kTileRows - 1) / Config::Keys::kTileRows;
  const dim3 grid((pairs + Config::kPairs - 1) / Config::kPairs, params.num_kv_heads,
                  (tiles + Config::kPieceTiles - 1) / Config::kPieceTiles);
  const auto entry = sampling_kernel<Config>;
  LONGVIEW_CUDA(cudaFuncSetAttribute(entry, cudaFuncAttributeMaxDynamicSharedMemorySize,
                                     Config::kSharedBytes));
  entry<<<grid, Config::kThreads, Config::kSharedBytes, stream>>>(kernel);
  LONGVIEW_CUDA(cudaGetLastError());
}

template <int kHeadDim>
void launch_for_head(const SamplingParams& params, cudaStream_t stream) {
  if (params.pooled_keys == 1) {
    launch<kHeadDim, 1>(params, stream);
  } else if (params.pooled_keys == 4) {
    launch<kHeadDim, 4>(params, stream);
  } else if (params.pooled_keys == 8) {
    launch<kHeadDim, 8>(params, stream);
  } else {
    launch<kHeadDim, 16>(params, stream);
  }
}

}  // namespace

void launch_sampling(const SamplingParams& params, cudaStream_t stream) {
  if (params.head_dim == 64) {
    launch_for_head<64>(params, stream);
  } else {
    launch_for_head<128>(params, stream);
  }
}

}  // namespace longview::attention::portable
