#include <algorithm>
#include <cmath>
#include <string>

#include "attention/checks.h"
#include "attention/decode/api.h"
#include "attention/decode/combine_kernel.cuh"
#include "common/device.h"

namespace longview::attention {

namespace {

const Checks kChecks("flash decode");

void validate(const DecodeShape& shape) {
  kChecks.require_heads(shape.num_heads, shape.num_kv_heads, shape.head_dim);
  kChecks.require(shape.max_kv_len >= 1,
                  "a context of at most " + std::to_string(shape.max_kv_len) + " keys");
}

void validate(const DecodeParams& params) {
  validate(params.shape);
  kChecks.require_scale(params.softmax_scale);
  kChecks.require_pointer(params.query, "query");
  kChecks.require_pointer(params.key, "key");
  kChecks.require_pointer(params.value, "value");
  kChecks.require_pointer(params.workspace, "workspace");
  kChecks.require_pointer(params.output, "output");
  kChecks.require_pointer(params.kv_len, "kv_len", sizeof(int32_t));
  kChecks.require_aligned(params.block_table, "block_table", sizeof(int32_t));
}

/// How a call is spread over the current device.
struct Plan {
  int head_tiles;
  int split_limit;
  int max_splits;
};

template <class Config>
Plan make_plan(const DecodeShape& shape) {
  const int heads_per_kv_head = shape.num_heads / shape.num_kv_heads;
  Plan plan;
  plan.head_tiles = (heads_per_kv_head + Config::kTileHeads - 1) / Config::kTileHeads;
  const int resident_blocks =
      Config::kBlocksPerMultiprocessor * device_attribute(cudaDevAttrMultiProcessorCount);
  plan.split_limit = std::max(1, resident_blocks / (shape.num_kv_heads * plan.head_tiles));
  const int slices = (shape.max_kv_len - 1) / Config::kSliceKeys + 1;
  plan.max_splits = decode_splits(slices, plan.split_limit);
  return plan;
}

/// The partial outputs come first in the workspace.
template <class Config>
size_t partial_output_floats(const DecodeShape& shape, const Plan& plan) {
  return size_t{1} * shape.num_heads * plan.max_splits * Config::kHeadDim;
}

template <class Config>
size_t workspace_bytes(const DecodeShape& shape) {
  const Plan plan = make_plan<Config>(shape);
  return partial_output_floats<Config>(shape, plan) * sizeof(float) +
         size_t{1} * shape.num_heads * plan.max_splits * sizeof(float2);
}

template <class Config>
void launch(const DecodeParams& params, cudaStream_t stream) {
  const DecodeShape& shape = params.shape;
  const Plan plan = make_plan<Config>(shape);
  DecodeKernelParams kernel{};
  kernel.query = static_cast<const uint16_t*>(params.query);
  kernel.key = static_cast<const uint16_t*>(params.key);
  kernel.value = static_cast<const uint16_t*>(params.value);
  kernel.output = static_cast<uint16_t*>(params.output);
  kernel.block_table = params.block_table;
  kernel.kv_len = params.kv_len;
  kernel.partial_outputs = static_cast<float*>(params.workspace);
  kernel.partial_softmax = reinterpret_cast<float2*>(kernel.partial_outputs +
                                                     partial_output_floats<Config>(shape, plan));
  kernel.max_kv_len = shape.max_kv_len;
  kernel.max_splits = plan.max_splits;
  kernel.split_limit = plan.split_limit;
  kernel.num_heads = shape.num_heads;
  kernel.num_kv_heads = shape.num_kv_heads;
  kernel.heads_per_kv_head = shape.num_heads / shape.num_kv_heads;
  kernel.head_tiles = plan.head_tiles;
  kernel.scale_log2 = params.softmax_scale * static_cast<float>(M_LOG2E);

  const auto split = decode_split_kernel<Config>;
  LONGVIEW_CUDA(cudaFuncSetAttribute(split, cudaFuncAttributeMaxDynamicSharedMemorySize,
                                     Config::kSharedBytes));
  const dim3 blocks(plan.max_splits, shape.num_kv_heads * plan.head_tiles);
  launch_programmatic(split, blocks, Config::kThreads, Config::kSharedBytes, stream, kernel);
  launch_programmatic(decode_combine_kernel<Config::kHeadDim>, dim3(shape.num_heads),
                      CombineConfig::kThreads, 0, stream, kernel);
}

}  // namespace

size_t decode_workspace_bytes(const DecodeShape& shape) {
  validate(shape);
  return shape.head_dim == 64 ? workspace_bytes<DecodeConfig<64>>(shape)
                              : workspace_bytes<DecodeConfig<128>>(shape);
}

void flash_decode(const DecodeParams& params, cudaStream_t stream) {
  validate(params);
  if (params.shape.head_dim == 64) {
    launch<DecodeConfig<64>>(params, stream);
  } else {
    launch<DecodeConfig<128>>(params, stream);
  }
}

}  // namespace longview::attention
