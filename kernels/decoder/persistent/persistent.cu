#include <algorithm>
#include <cstdint>
#include <iterator>

#include "common/device.h"
#include "common/programmatic_launch.cuh"
#include "decoder/persistent/api.h"
#include "decoder/persistent/attention.cuh"
#include "decoder/persistent/input.cuh"
#include "decoder/persistent/product.cuh"

namespace longview::decoder {

namespace {

using Config = PersistentConfig;

/// The way of the warps that compute through all layers.
template <int kHeadDim>
class LayersBlock {
 public:
  using Context = StepContext<kHeadDim>;

  __device__ LayersBlock(const PersistentParams& params, Context& context, MemoryRing& ring,
                         uint4* scratch)
      : params_(params),
        context_(context),
        scratch_(scratch),
        ring_(ring),
        attention_(params, context, scratch),
        products_(params, context) {}

  __device__ void run() {
#pragma unroll 1
    for (int layer = 0; layer < params_.layer_count; ++layer) {
#pragma unroll 1
      for (int phase = 0; phase < kPhases; ++phase) {
        if (static_cast<Phase>(phase) == Phase::kAttention) {
          attend(layer);
        } else {
          multiply(static_cast<Phase>(phase), layer);
        }
      }
    }
    // All blocks know the number of this step: each has contributed to the last activation.
    if (blockIdx.x == 0 && threadIdx.x == 0) ++Exchange::steps(params_);
  }

 private:
  __device__ void attend(int layer) {
    prefetch_part(context_.layer(layer).feed_forward_norm, params_.hidden_size);
    attention_.attend(ring_, layer);
    attention_.combine(layer);
  }

  __device__ void multiply(Phase phase, int layer) {
    const InputStage stage(norm_of(phase, layer), params_.norm_epsilon,
                           params_.shapes[static_cast<int>(phase)].columns);
    const float2 bias = products_.bias_of(phase, layer);
    if (phase == Phase::kDown && layer + 1 < params_.layer_count) {
      prefetch_part(context_.layer(layer + 1).attention_norm, params_.hidden_size);
      prefetch_part(context_.layer(layer + 1).qkv_bias,
                    2 * params_.shapes[static_cast<int>(Phase::kQkv)].items);
    }
    const StagedInput staged{reinterpret_cast<uint2*>(scratch_)};
    if (layer == 0 && phase == Phase::kQkv) {
      stage.run(params_.hidden, staged);
    } else {
      const bool is_qkv = phase == Phase::kQkv;
      context_.await(params_, input_message(phase), is_qkv ? layer - 1 : layer);
      stage.run(input_of(phase), input_tag(phase, layer), staged);
    }
    products_.run(phase, layer, ring_, staged.steps, bias);
  }

  __device__ const float* norm_of(Phase phase, int layer) const {
    if (phase == Phase::kQkv) return context_.layer(layer).attention_norm;
    return phase == Phase::kGateUp ? context_.layer(layer).feed_forward_norm : nullptr;
  }

  __device__ const TaggedHalf* input_of(Phase phase) const {
    if (phase == Phase::kOutput) return context_.exchange.attended;
    return phase == Phase::kDown ? context_.exchange.activation : context_.exchange.hidden;
  }

  static __device__ Message input_message(Phase phase) {
    if (phase == Phase::kQkv) return Message::kNextHidden;
    if (phase == Phase::kOutput) return Message::kAttended;
    return phase == Phase::kGateUp ? Message::kHidden : Message::kActivation;
  }

  __device__ uint32_t input_tag(Phase phase, int layer) const {
    return phase == Phase::kQkv ? context_.exchange.tag(layer - 1) + 1
                                : context_.exchange.tag(layer);
  }

  const PersistentParams& params_;
  const Context& context_;
  uint4* scratch_;
  MemoryRing& ring_;
  Attention<kHeadDim> attention_;
  Products<kHeadDim> products_;
};

/// Dynamic shared memory: the ring, the scratch memory, the context with the layers.
template <int kHeadDim>
__global__ __launch_bounds__(Config::kBlockThreads, 1) void persistent_kernel(
    const __grid_constant__ PersistentParams params, int scratch_bytes) {
  extern __shared__ __align__(1024) uint8_t shared[];
  let_next_kernel_start();
  auto& ring = *reinterpret_cast<MemoryRing*>(shared);
  auto* scratch = reinterpret_cast<uint4*>(shared + sizeof(MemoryRing));
  auto& context =
      *reinterpret_cast<StepContext<kHeadDim>*>(shared + sizeof(MemoryRing) + scratch_bytes);
  const KeyShare<kHeadDim> share(*params.rope.first_position, params.rope.num_kv_heads);
  if (threadIdx.x == 0) ring.init();
  context.fill(params, share);
  if (threadIdx.x >= Config::kThreads) {
    MemoryFetcher<kHeadDim>(params, context, ring).run();
  } else {
    LayersBlock<kHeadDim>(params, context, ring, scratch).run();
  }
}

int multiprocessors() { return device_attribute(cudaDevAttrMultiProcessorCount); }

/// One on each multiprocessor, but no more than there are items in any product.
int blocks_of(const PersistentParams& params) {
  int blocks = multiprocessors();
  for (const Phase phase : {Phase::kQkv, Phase::kOutput, Phase::kGateUp, Phase::kDown}) {
    blocks = std::min(blocks, params.shapes[static_cast<int>(phase)].items);
  }
  return blocks;
}

ProductShape product_shape(int items, int item_rows, int columns) {
  // Pieces of whole steps of all warps, where there is more than one.
  constexpr int kUnit = 2 * Config::kStepColumns * Config::kWarps;
  const int row_bytes = 2 * columns;
  const int pieces = (row_bytes - 1) / Config::kMaxPieceBytes + 1;
  const int units = (row_bytes - 1) / (pieces * kUnit) + 1;
  return {items, item_rows, columns, row_bytes, pieces, units * kUnit};
}

int scratch_bytes(const PersistentParams& params) {
  int bytes = Config::kMergeBytes;
  for (const ProductShape& shape : params.shapes) {
    bytes = std::max(bytes, 2 * shape.columns);
  }
  return bytes;
}

int shared_bytes(const PersistentParams& params) {
  const size_t context =
      params.rope.head_dim == 64 ? sizeof(StepContext<64>) : sizeof(StepContext<128>);
  return static_cast<int>(sizeof(MemoryRing)) + scratch_bytes(params) +
         static_cast<int>(context + params.layer_count * sizeof(PersistentLayer));
}

/// KV blocks that the keys of one block reach into, at most.
int split_blocks(const PersistentParams& params, int context_tokens) {
  const int keys = context_tokens / (blocks_of(params) / params.rope.num_kv_heads);
  return keys / KV_BLOCK_TOKENS + 3;
}

/// Whether the products can be walked along: steps are whole, and a block's rows find room.
bool products_fit(const PersistentParams& params) {
  const int blocks = blocks_of(params);
  return std::all_of(std::begin(params.shapes), std::end(params.shapes),
                     [&](const ProductShape& shape) {
                       const int items = (shape.items + blocks - 1) / blocks;
                       return shape.columns % Config::kStepColumns == 0 &&
                              items * shape.item_rows <= Config::kMaxRows;
                     });
}

}  // namespace

bool fits_persistent(const PersistentParams& params, int context_tokens) {
  constexpr int kStaticBytes = 3072;
  const RopeKvParams& rope = params.rope;
  const bool is_hopper = device_attribute(cudaDevAttrComputeCapabilityMajor) == 9 &&
                         device_attribute(cudaDevAttrComputeCapabilityMinor) == 0;
  return is_hopper && params.layer_count <= kMaxPersistentLayers && rope.query_norm == nullptr &&
         rope.num_heads / rope.num_kv_heads <= Config::kMaxGroupHeads &&
         rope.num_kv_heads <= blocks_of(params) &&
         split_blocks(params, context_tokens) <= Config::kMaxSplitBlocks && products_fit(params) &&
         device_attribute(cudaDevAttrCooperativeLaunch) != 0 &&
         shared_bytes(params) + kStaticBytes <=
             device_attribute(cudaDevAttrMaxSharedMemoryPerBlockOptin);
}

size_t persistent_workspace_bytes(int hidden_size, int feed_forward_size, int num_heads,
                                  int num_kv_heads, int head_dim) {
  PersistentParams params{};
  params.hidden_size = hidden_size;
  params.feed_forward_size = feed_forward_size;
  params.rope.num_heads = num_heads;
  params.rope.num_kv_heads = num_kv_heads;
  params.rope.head_dim = head_dim;
  return reinterpret_cast<size_t>(Exchange(params, multiprocessors() / num_kv_heads).end);
}

void shape_products(PersistentParams& params) {
  const RopeKvParams& rope = params.rope;
  const int query_size = rope.num_heads * rope.head_dim;
  const int kv_size = rope.num_kv_heads * rope.head_dim;
  const auto shape = [&](Phase phase) -> ProductShape& {
    return params.shapes[static_cast<int>(phase)];
  };
  shape(Phase::kQkv) = product_shape(query_size / 2 + kv_size, 2, params.hidden_size);
  shape(Phase::kOutput) = product_shape(params.hidden_size, 1, query_size);
  shape(Phase::kGateUp) = product_shape(params.feed_forward_size, 2, params.hidden_size);
  shape(Phase::kDown) = product_shape(params.hidden_size, 1, params.feed_forward_size);
}

void persistent_layers(const PersistentParams& params, cudaStream_t stream) {
  const auto kernel = params.rope.head_dim == 64 ? persistent_kernel<64> : persistent_kernel<128>;
  const int bytes = shared_bytes(params);
  LONGVIEW_CUDA(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, bytes));
  cudaLaunchAttribute cooperative{};
  cooperative.id = cudaLaunchAttributeCooperative;
  cooperative.val.cooperative = 1;
  cudaLaunchConfig_t config{};
  config.gridDim = dim3(blocks_of(params));
  config.blockDim = dim3(Config::kBlockThreads);
  config.dynamicSmemBytes = bytes;
  config.stream = stream;
  config.attrs = &cooperative;
  config.numAttrs = 1;
  LONGVIEW_CUDA(cudaLaunchKernelEx(&config, kernel, params, scratch_bytes(params)));
}

}  // namespace longview::decoder
