#include "attention/kv_rows.cuh"
#include "attention/quad.cuh"
#include "attention/sampling/pool_keys.h"
#include "attention/sampling/pooled_keys.h"
#include "common/cuda_error.h"

namespace longview::attention {

namespace {

constexpr int kThreads = 256;
constexpr int kPieceElements = 8;  // 16 bytes

__device__ __forceinline__ float bf16_to_float(uint32_t bits) {
  return __uint_as_float(bits << 16);
}

/// Each thread averages 16 bytes' worth of columns of one group of keys.
template <int kPooledKeys>
__global__ void __launch_bounds__(kThreads)
    pool_keys_kernel(PoolKeysParams params, int first_group, int groups) {
  using Keys = PooledKeys<kPooledKeys>;
  const int row_elements = params.num_kv_heads * params.head_dim;
  const int pieces = row_elements / kPieceElements;
  const int index = static_cast<int>(blockIdx.x * kThreads + threadIdx.x);
  if (index / pieces >= groups) return;
  const int group = first_group + index / pieces;
  const int column = index % pieces * kPieceElements;

  const KvRows rows{static_cast<const uint16_t*>(params.key), row_elements, params.block_table};
  const uint16_t* source = rows.run(group * kPooledKeys) + column;
  float sums[kPieceElements] = {};
#pragma unroll
  for (int key = 0; key < kPooledKeys; ++key) {
    const uint4 piece = *reinterpret_cast<const uint4*>(source + int64_t{key} * row_elements);
    const uint32_t words[4] = {piece.x, piece.y, piece.z, piece.w};
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      sums[2 * i] += bf16_to_float(words[i] & 0xffff);
      sums[2 * i + 1] += bf16_to_float(words[i] >> 16);
    }
  }
#pragma unroll
  for (float& sum : sums) sum *= 1.f / kPooledKeys;

  const int block = group / Keys::kPoolBlockRows;
  const int in_block = group % Keys::kPoolBlockRows;
  const int physical = params.block_table == nullptr ? block : params.block_table[block];
  const int64_t row = int64_t{physical} * Keys::kPoolBlockRows +
                      Keys::row(in_block / Keys::kBlockRows, in_block % Keys::kBlockRows);
  *reinterpret_cast<uint4*>(static_cast<uint16_t*>(params.pooled_key) + row * row_elements +
                            column) =
      make_uint4(pack_bf16(sums[0], sums[1]), pack_bf16(sums[2], sums[3]),
                 pack_bf16(sums[4], sums[5]), pack_bf16(sums[6], sums[7]));
}

template <int kPooledKeys>
void launch(const PoolKeysParams& params, cudaStream_t stream) {
  const int first_group = params.first_token / kPooledKeys;
  const int groups = params.kv_len / kPooledKeys - first_group;
  if (groups <= 0) return;
  const int64_t threads = int64_t{groups} * params.num_kv_heads * params.head_dim / kPieceElements;
  const auto blocks = static_cast<unsigned>((threads + kThreads - 1) / kThreads);
  pool_keys_kernel<kPooledKeys><<<blocks, kThreads, 0, stream>>>(params, first_group, groups);
  LONGVIEW_CUDA(cudaGetLastError());
}

}  // namespace

void pool_keys(const PoolKeysParams& params, cudaStream_t stream) {
  if (params.pooled_keys == 1) return;
  if (params.pooled_keys == 4) {
    launch<4>(params, stream);
  } else if (params.pooled_keys == 8) {
    launch<8>(params, stream);
  } else {
    launch<16>(params, stream);
  }
}

}  // namespace longview::attention
