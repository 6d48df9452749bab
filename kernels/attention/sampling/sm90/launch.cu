#include <algorithm>
#include <cmath>

#include "attention/sampling/sm90/launch.h"
#include "attention/sampling/sm90/sampling_kernel.cuh"
#include "common/cuda_error.h"
#include "common/device.h"

namespace longview::attention::sm90 {

namespace {

constexpr uint64_t kBf16Bytes = 2;
constexpr int kMaxSharedBytes = 227 * 1024;

/// The sampled rows of [q_len, num_heads, head_dim] as [column blocks, sampled rows, num_heads,
/// 64].
template <class Config>
CUtensorMap query_map(const SamplingParams& params, const TensorMapEncoder& encoder) {
  const SampledRows& rows = params.rows;
  const uint64_t head_bytes = Config::kHeadDim * kBf16Bytes;
  const uint64_t row_bytes = head_bytes * params.num_heads;
  const auto* first = static_cast<const uint8_t*>(params.query) + (rows.step - 1) * row_bytes;
  return encoder.encode({first,
                         {Config::kColumnBlock, static_cast<uint64_t>(params.num_heads),
                          static_cast<uint64_t>(rows.count), Config::kColumnBlocks},
                         {head_bytes, row_bytes * rows.step, Config::kRowBytes},
                         {Config::kColumnBlock, 1, kSampledGroupRows, 1}});
}

/// Averages as [pool blocks, num_kv_heads, column blocks, rows of a pool block, 64]. Contiguous
/// keys are one block, for nothing behind them may be read.
template <class Config>
CUtensorMap key_map(const SamplingParams& params, const TensorMapEncoder& encoder) {
  using Keys = typename Config::Keys;
  const bool one_block = Keys::kPooledKeys == 1 && params.block_table == nullptr;
  const int block_rows = one_block ? params.kv_len : Keys::kPoolBlockRows;
  const int blocks = one_block                       ? 1
                     : params.block_table == nullptr ? kv_blocks(params.kv_len)
                                                     : params.pool_blocks;
  const uint64_t head_bytes = Config::kHeadDim * kBf16Bytes;
  const uint64_t row_bytes = head_bytes * params.num_kv_heads;
  return encoder.encode(
      {params.pooled_key,
       {Config::kColumnBlock, static_cast<uint64_t>(block_rows), Config::kColumnBlocks,
        static_cast<uint64_t>(params.num_kv_heads), static_cast<uint64_t>(blocks)},
       {row_bytes, Config::kRowBytes, head_bytes, row_bytes * block_rows},
       {Config::kColumnBlock, Keys::kSegmentRows, 1, 1, 1}});
}

template <int kHeadDim, int kPooledKeys>
void launch(const SamplingParams& params, const SamplingDevice& device, cudaStream_t stream) {
  using Config = SamplingConfig<kHeadDim, kPooledKeys>;
  static_assert(sizeof(SamplingStorage<Config>) <= kMaxSharedBytes);
  SamplingKernelParams kernel{};
  kernel.query = query_map<Config>(params, device.encoder);
  kernel.key = key_map<Config>(params, device.encoder);
  kernel.block_table = params.block_table;
  kernel.block_masses = params.block_masses;
  kernel.pitch = mass_pitch(params.kv_len);
  kernel.pool_blocks = kv_blocks(params.kv_len);
  kernel.heads_per_kv_head = params.num_heads / params.num_kv_heads;
  kernel.num_kv_heads = params.num_kv_heads;
  kernel.rows = params.rows;
  const int pairs = params.rows.groups * kernel.heads_per_kv_head;
  kernel.row_tiles = (pairs + Config::kConsumers - 1) / Config::kConsumers;
  kernel.kv_offset = params.kv_len - params.q_len;
  kernel.q_len = params.q_len;
  kernel.scale_log2 = params.softmax_scale * static_cast<float>(M_LOG2E);
  for (int i = 0; i < kernel.row_tiles; ++i) {
    kernel.work += key_tiles<Config>(kernel, i) * kernel.num_kv_heads;
  }

  const auto entry = sampling_kernel<Config>;
  LONGVIEW_CUDA(cudaFuncSetAttribute(entry, cudaFuncAttributeMaxDynamicSharedMemorySize,
                                     sizeof(SamplingStorage<Config>)));
  const int blocks = std::min(kernel.work, device.multiprocessors);
  entry<<<blocks, Config::kThreads, sizeof(SamplingStorage<Config>), stream>>>(kernel);
  LONGVIEW_CUDA(cudaGetLastError());
}

template <int kHeadDim>
void launch_for_head(const SamplingParams& params, const SamplingDevice& device,
                     cudaStream_t stream) {
  if (params.pooled_keys == 1) {
    launch<kHeadDim, 1>(params, device, stream);
  } else if (params.pooled_keys == 4) {
    launch<kHeadDim, 4>(params, device, stream);
  } else if (params.pooled_keys == 8) {
    launch<kHeadDim, 8>(params, device, stream);
  } else {
    launch<kHeadDim, 16>(params, device, stream);
  }
}

}  // namespace

SamplingDevice make_sampling_device() {
  return {device_attribute(cudaDevAttrMultiProcessorCount), TensorMapEncoder()};
}

void launch_sampling(const SamplingParams& params, const SamplingDevice& device,
                     cudaStream_t stream) {
  if (params.head_dim == 64) {
    launch_for_head<64>(params, device, stream);
  } else {
    launch_for_head<128>(params, device, stream);
  }
}

}  // namespace longview::attention::sm90
