#include <cmath>

#include "attention/sparse/portable/launch.h"
#include "attention/sparse/portable/prefill_kernel.cuh"
#include "common/cuda_error.h"

namespace longview::attention::portable {

namespace {

template <class Config>
void launch(const SparseCall& call, cudaStream_t stream) {
  const DensePrefillParams& params = call.params;
  SparseKernelParams kernel{};
  kernel.query = static_cast<const uint16_t*>(params.query);
  kernel.key = static_cast<const uint16_t*>(params.key);
  kernel.value = static_cast<const uint16_t*>(params.value);
  kernel.output = static_cast<uint16_t*>(params.output);
  kernel.block_table = params.block_table;
  kernel.lists = call.lists;
  const bool has_averages = call.averages.dropped != nullptr;
  kernel.beside_key =
      static_cast<const uint16_t*>(has_averages ? call.averages.key : call.columns.key);
  kernel.beside_value =
      static_cast<const uint16_t*>(has_averages ? call.averages.value : call.columns.value);
  kernel.visible_columns = call.columns.visible;
  kernel.column_capacity = call.columns.capacity;
  kernel.dropped = call.averages.dropped;
  kernel.dropped_pitch = dropped_pitch(params.kv_len);
  kernel.order = call.order;
  kernel.q_len = params.q_len;
  kernel.kv_len = params.kv_len;
  kernel.num_heads = params.num_heads;
  kernel.num_kv_heads = params.num_kv_heads;
  kernel.scale_log2 = params.softmax_scale * static_cast<float>(M_LOG2E);
  kernel.average_bias = std::log2(static_cast<float>(kSelectionBlockKeys)) / kernel.scale_log2;

  const auto entry =
      has_averages ? sparse_prefill_kernel<Config, true> : sparse_prefill_kernel<Config, false>;
  LONGVIEW_CUDA(cudaFuncSetAttribute(entry, cudaFuncAttributeMaxDynamicSharedMemorySize,
                                     Config::kSharedBytes));
  const int blocks = params.num_heads * call.lists.tiles;
  entry<<<blocks, Config::kThreads, Config::kSharedBytes, stream>>>(kernel);
  LONGVIEW_CUDA(cudaGetLastError());
}

}  // namespace

void launch_sparse_prefill(const SparseCall& call, cudaStream_t stream) {
  if (call.params.head_dim == 64) {
    launch<PrefillConfig<64>>(call, stream);
  } else {
    launch<PrefillConfig<128>>(call, stream);
  }
}

}  // namespace longview::attention::portable
