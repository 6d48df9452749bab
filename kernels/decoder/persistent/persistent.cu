#include <algorithm>
#include <cstdint>
#include <iterator>

#include "common/device.h"
#include "common/programmatic_launch.cuh"
#include "decoder/persistent/api.h"
#include "decoder/persistent/attention.cuh"
#include "decoder/persistent/grid_barrier.cuh"
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

  __device__ LayersBlock(const PersistentParams& params, Context& context,
                         const KeyShare<kHeadDim>& share, MemoryRing& ring, uint4* scratch)
      : params_(params),
        context_(context),
        scratch_(scratch),
        ring_(ring),
        attention_(params, context, share, scratch),
        products_(params, context),
        barrier_(params.arrivals + share.cached % 2) {
    if (blockIdx.x == 0 && threadIdx.x == 0) params.arrivals[(share.cached + 1) % 2] = 0;
  }

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
  }

 private:
  __device__ void attend(int layer) {
    prefetch_part(context_.layer(layer).feed_forward_norm, params_.hidden_size);
    barrier_.arrive();
    barrier_.wait();
    attention_.attend(ring_, stage_);
    stage_ += context_.stages[static_cast<int>(Phase::kAttention)];
    barrier_.arrive();
    barrier_.wait();
    attention_.combine(layer);
  }

  __device__ void multiply(Phase phase, int layer) {
    const ProductShape& shape = params_.shapes[static_cast<int>(phase)];
    const bool is_first = layer == 0 && phase == Phase::kQkv;
    if (!is_first) barrier_.arrive();
    const InputStage stage(norm_of(phase, layer), params_.norm_epsilon, shape.columns);
    if (phase == Phase::kDown && layer + 1 < params_.layer_count) {
      prefetch_part(context_.layer(layer + 1).attention_norm, params_.hidden_size);
      prefetch_part(context_.layer(layer + 1).qkv_bias,
                    2 * params_.shapes[static_cast<int>(Phase::kQkv)].items);
    }
    if (!is_first) barrier_.wait();
    const StagedInput staged{reinterpret_cast<uint2*>(scratch_)};
    stage.run(input_of(phase), staged);
    products_.run(phase, layer, ring_, stage_, staged.steps);
    stage_ += context_.stages[static_cast<int>(phase)];
  }

  __device__ const float* norm_of(Phase phase, int layer) const {
    if (phase == Phase::kQkv) return context_.layer(layer).attention_norm;
    return phase == Phase::kGateUp ? context_.layer(layer).feed_forward_norm : nullptr;
  }

  __device__ const void* input_of(Phase phase) const {
    if (phase == Phase::kOutput) return params_.attended;
    return phase == Phase::kDown ? params_.activation : params_.hidden;
  }

  const PersistentParams& params_;
  const Context& context_;
  uint4* scratch_;
  MemoryRing& ring_;
  int stage_ = 0;  // of the ring: the next
  Attention<kHeadDim> attention_;
  Products<kHeadDim> products_;
  GridBarrier barrier_;
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
    MemoryFetcher<kHeadDim>(params, context, share, ring).run();
  } else {
    LayersBlock<kHeadDim>(params, context, share, ring, scratch).run();
  }
}

int multiprocessors() { return device_attribute(cudaDevAttrMultiProcessorCount); }

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

/// KV blocks that the keys of one multiprocessor reach into, at most.
int split_blocks(int context_tokens, int num_kv_heads) {
  const int keys = context_tokens / (multiprocessors() / num_kv_heads);
  return keys / KV_BLOCK_TOKENS + 3;
}

/// Whether the products can be walked along: steps are whole, and a block's rows find room.
bool products_fit(const PersistentParams& params) {
  return std::all_of(std::begin(params.shapes), std::end(params.shapes),
                     [](const ProductShape& shape) {
                       const int items = (shape.items + multiprocessors() - 1) / multiprocessors();
                       return shape.columns % Config::kStepColumns == 0 &&
                              items * shape.item_rows <= Config::kMaxRows;
                     });
}

}  // namespace

bool fits_persistent(const PersistentParams& params, int context_tokens) {
  constexpr int kStaticBytes = 1024;
  const RopeKvParams& rope = params.rope;
  const bool is_hopper = device_attribute(cudaDevAttrComputeCapabilityMajor) == 9 &&
                         device_attribute(cudaDevAttrComputeCapabilityMinor) == 0;
  return is_hopper && params.layer_count <= kMaxPersistentLayers && rope.query_norm == nullptr &&
         rope.num_heads / rope.num_kv_heads <= Config::kMaxGroupHeads &&
         rope.num_kv_heads <= multiprocessors() &&
         split_blocks(context_tokens, rope.num_kv_heads) <= Config::kMaxSplitBlocks &&
         products_fit(params) && device_attribute(cudaDevAttrCooperativeLaunch) != 0 &&
         shared_bytes(params) + kStaticBytes <=
             device_attribute(cudaDevAttrMaxSharedMemoryPerBlockOptin);
}

size_t persistent_workspace_bytes(int num_heads, int num_kv_heads, int head_dim) {
  const size_t splits = multiprocessors() / num_kv_heads;
  return splits * num_heads * (head_dim * sizeof(float) + sizeof(float2));
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
  config.gridDim = dim3(multiprocessors());
  config.blockDim = dim3(Config::kBlockThreads);
  config.dynamicSmemBytes = bytes;
  config.stream = stream;
  config.attrs = &cooperative;
  config.numAttrs = 1;
  LONGVIEW_CUDA(cudaLaunchKernelEx(&config, kernel, params, scratch_bytes(params)));
}

}  // namespace longview::decoder
