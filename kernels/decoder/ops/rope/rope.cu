// The tables of rotary positions, and the fused norm, rotation and KV write.
#include <algorithm>
#include <cstdint>

#include "common/programmatic_launch.cuh"
#include "decoder/ops/rope/api.h"
#include "decoder/ops/rope/rotation.cuh"
#include "decoder/ops/rope/validate.h"
#include "decoder/ops/warp.cuh"
#include "quant/decode.cuh"

namespace longview::decoder {

namespace {

using quant::pack_bf16;
using quant::unpack_bf16;

constexpr int kThreads = 256;
constexpr int kMaxPairs = 128;
constexpr int kLanePairs = 2;  // pairs of a head that one thread turns: 8 bytes of bf16

struct TableKernelParams {
  double radians_per_position[kMaxPairs];
  double attention_factor;
  float* cos;
  float* sin;
  int64_t elements;
  int pairs;
};

__global__ void table_kernel(const __grid_constant__ TableKernelParams params) {
  const int64_t index = int64_t{blockIdx.x} * kThreads + threadIdx.x;
  if (index >= params.elements) return;
  const auto position = static_cast<double>(index / params.pairs);
  double sine;
  double cosine;
  sincos(position * params.radians_per_position[index % params.pairs], &sine, &cosine);
  params.cos[index] = static_cast<float>(cosine * params.attention_factor);
  params.sin[index] = static_cast<float>(sine * params.attention_factor);
}

/// Two pairs of one head, as fp32: (first.x, second.x) and (first.y, second.y) belong together.
struct TwoPairs {
  float2 first;
  float2 second;
};

/// Where a thread's four elements lie in a head, in units of two elements: the words that hold
/// pairs `2 * lane` and `2 * lane + 1`.
template <int kHeadDim, RopePairs kPairs>
struct Words {
  static constexpr bool kHalves = kPairs == RopePairs::kHalves;

  __device__ explicit Words(int lane)
      : low(kHalves ? lane : 2 * lane), high(kHalves ? lane + kHeadDim / 4 : 2 * lane + 1) {}

  __device__ TwoPairs load(const uint32_t* head) const {
    return arranged(unpack_bf16(head[low]), unpack_bf16(head[high]));
  }

  __device__ TwoPairs load(const float* values) const {
    const auto* twos = reinterpret_cast<const float2*>(values);
    return arranged(twos[low], twos[high]);
  }

  __device__ void store(const TwoPairs& pairs, uint32_t* head) const {
    const TwoPairs words = arranged(pairs.first, pairs.second);
    head[low] = pack_bf16(words.first.x, words.first.y);
    head[high] = pack_bf16(words.second.x, words.second.y);
  }

 private:
  /// Between the order in memory and the order of TwoPairs; its own inverse.
  __device__ static TwoPairs arranged(float2 low, float2 high) {
    if (kHalves) return {low, high};
    return {{low.x, high.x}, {low.y, high.y}};
  }

  int low;
  int high;
};

template <int kLanes>
__device__ void normalise(TwoPairs& pairs, const TwoPairs& weight, float epsilon) {
  const float squares = (pairs.first.x * pairs.first.x + pairs.first.y * pairs.first.y) +
                        (pairs.second.x * pairs.second.x + pairs.second.y * pairs.second.y);
  const float scale = rsqrtf(warp_sum<kLanes>(squares) / (kLanes * 4) + epsilon);
  pairs.first = {pairs.first.x * scale * weight.first.x, pairs.first.y * scale * weight.first.y};
  pairs.second = {pairs.second.x * scale * weight.second.x,
                  pairs.second.y * scale * weight.second.y};
}

__device__ void rotate(TwoPairs& pairs, float2 cosines, float2 sines) {
  const float2 even = rotated({pairs.first.x, pairs.second.x}, cosines.x, sines.x);
  const float2 odd = rotated({pairs.first.y, pairs.second.y}, cosines.y, sines.y);
  pairs = {{even.x, odd.x}, {even.y, odd.y}};
}

/// kHeadDim / 4 threads treat one head of one token.
template <int kHeadDim, RopePairs kPairs>
__global__ void rope_kv_kernel(const __grid_constant__ RopeKvParams params) {
  constexpr int kLanes = kHeadDim / (2 * kLanePairs);
  constexpr int kHeadWords = kHeadDim / 2;
  let_next_kernel_start();
  wait_for_previous_kernel();
  const int heads = params.num_heads + 2 * params.num_kv_heads;
  const int64_t thread = int64_t{blockIdx.x} * kThreads + threadIdx.x;
  const int64_t token_head = thread / kLanes;
  const bool is_within = token_head < int64_t{params.tokens} * heads;
  // Threads beyond the end go on with the first head, for sums take whole warps.
  const int token = is_within ? static_cast<int>(token_head / heads) : 0;
  const int head = is_within ? static_cast<int>(token_head % heads) : 0;
  const int lane = threadIdx.x % kLanes;
  const Words<kHeadDim, kPairs> words(lane);

  const bool is_query = head < params.num_heads;
  const bool is_value = head >= params.num_heads + params.num_kv_heads;
  const auto* source =
      static_cast<const uint32_t*>(params.qkv) + (int64_t{token} * heads + head) * kHeadWords;
  TwoPairs pairs = words.load(source);

  const int position = *params.first_position + token;
  if (params.query_norm != nullptr) {
    TwoPairs normed = pairs;
    const float* weight = is_query ? params.query_norm : params.key_norm;
    normalise<kLanes>(normed, words.load(weight), params.norm_epsilon);
    if (!is_value) pairs = normed;
  }
  if (!is_value) {
    const int64_t angle = int64_t{position} * (kHeadDim / 2) + kLanePairs * lane;
    rotate(pairs, *reinterpret_cast<const float2*>(params.cos + angle),
           *reinterpret_cast<const float2*>(params.sin + angle));
  }
  if (!is_within) return;
  if (is_query) {
    const int64_t row = int64_t{token} * params.num_heads + head;
    words.store(pairs, static_cast<uint32_t*>(params.query) + row * kHeadWords);
  } else {
    void* pool = is_value ? params.value_pool : params.key_pool;
    const int kv_head = (head - params.num_heads) % params.num_kv_heads;
    const int64_t row = pool_row(params.block_table, position) * params.num_kv_heads + kv_head;
    words.store(pairs, static_cast<uint32_t*>(pool) + row * kHeadWords);
  }
}

using RopeKvKernel = void (*)(RopeKvParams);

RopeKvKernel kernel_for(const RopeKvParams& params) {
  const bool is_halves = params.pairs == RopePairs::kHalves;
  if (params.head_dim == 64) {
    return is_halves ? rope_kv_kernel<64, RopePairs::kHalves>
                     : rope_kv_kernel<64, RopePairs::kInterleaved>;
  }
  return is_halves ? rope_kv_kernel<128, RopePairs::kHalves>
                   : rope_kv_kernel<128, RopePairs::kInterleaved>;
}

void check(const RopeKvParams& params) {
  const Checks checks("rotation and KV write");
  checks.require(params.tokens >= 0, std::to_string(params.tokens) + " tokens");
  check_rotation(checks, params);
  checks.require_pointer(params.qkv, "qkv");
  checks.require((params.query_norm == nullptr) == (params.key_norm == nullptr),
                 "only one of query_norm and key_norm is null");
  if (params.query_norm == nullptr) return;
  checks.require_pointer(params.query_norm, "query_norm");
  checks.require_pointer(params.key_norm, "key_norm");
  checks.require(params.norm_epsilon > 0.f, "norm_epsilon is not positive");
}

}  // namespace

void fill_rope_tables(const RopeTableParams& params, cudaStream_t stream) {
  const Checks checks("RoPE tables");
  const auto& radians = params.frequencies.radians_per_position;
  checks.require(!radians.empty() && radians.size() <= kMaxPairs,
                 std::to_string(radians.size()) + " frequencies");
  checks.require(params.positions > 0, std::to_string(params.positions) + " positions");
  checks.require_pointer(params.cos, "cos");
  checks.require_pointer(params.sin, "sin");
  TableKernelParams kernel{};
  std::copy(radians.begin(), radians.end(), kernel.radians_per_position);
  kernel.attention_factor = params.frequencies.attention_factor;
  kernel.cos = params.cos;
  kernel.sin = params.sin;
  kernel.pairs = static_cast<int>(radians.size());
  kernel.elements = int64_t{params.positions} * kernel.pairs;
  const int64_t blocks = (kernel.elements + kThreads - 1) / kThreads;
  table_kernel<<<static_cast<unsigned>(blocks), kThreads, 0, stream>>>(kernel);
  LONGVIEW_CUDA(cudaGetLastError());
}

void rope_kv(const RopeKvParams& params, cudaStream_t stream) {
  if (params.tokens == 0) return;
  check(params);
  const int64_t heads = int64_t{params.tokens} * (params.num_heads + 2 * params.num_kv_heads);
  const int64_t threads = heads * (params.head_dim / (2 * kLanePairs));
  launch_programmatic(kernel_for(params),
                      static_cast<unsigned>((threads + kThreads - 1) / kThreads), kThreads, 0,
                      stream, params);
}

}  // namespace longview::decoder
