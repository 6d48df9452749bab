#include "attention/checks.h"
#include "attention/kv_rows.cuh"
#include "attention/quad.cuh"
#include "attention/sparse/averages.h"
#include "common/cuda_error.h"

namespace longview::attention {

namespace {

constexpr int kPieceElements = 8;  // of 16 bytes
constexpr int kPieces = 32;        // of a row, which a block of threads takes
constexpr int kGroups = 8;         // of threads, which share the keys of a block among them
constexpr int kListThreads = 128;

/// Keys (0) and values (1) of a pool, and their averages.
struct Averaging {
  const uint16_t* source[2];
  uint16_t* target[2];  // [blocks, row_elements]
};

__device__ float element_of(const uint4& piece, int i) {
  const uint32_t word = i < 2 ? piece.x : i < 4 ? piece.y : i < 6 ? piece.z : piece.w;
  return __uint_as_float(i % 2 == 0 ? word << 16 : word & 0xffff0000u);
}

/// Block x of keys, pieces 32 y to 32 y + 31 of its rows, keys (z = 0) or values. Each group of
/// threads adds up every eighth key; the first then adds up the groups, in order.
__global__ void __launch_bounds__(kPieces* kGroups)
    average_kernel(const __grid_constant__ Averaging averaging, const int32_t* block_table,
                   int kv_len, int row_elements) {
  __shared__ float sums[kGroups][kPieces][kPieceElements];
  const int element = static_cast<int>(blockIdx.y * kPieces + threadIdx.x) * kPieceElements;
  const int first = static_cast<int>(blockIdx.x) * kSelectionBlockKeys;
  const int count = min(kSelectionBlockKeys, kv_len - first);
  const int group = static_cast<int>(threadIdx.y);
  const bool inside = element < row_elements;
  if (inside) {
    const uint16_t* rows =
        KvRows{averaging.source[blockIdx.z], row_elements, block_table}.run(first) + element;
    float sum[kPieceElements] = {};
    for (int key = group; key < count; key += kGroups) {
      const uint4 piece = *reinterpret_cast<const uint4*>(rows + int64_t{key} * row_elements);
#pragma unroll
      for (int i = 0; i < kPieceElements; ++i) sum[i] += element_of(piece, i);
    }
#pragma unroll
    for (int i = 0; i < kPieceElements; ++i) sums[group][threadIdx.x][i] = sum[i];
  }
  __syncthreads();
  if (group != 0 || !inside) return;
  float mean[kPieceElements];
#pragma unroll
  for (int i = 0; i < kPieceElements; ++i) {
    float sum = 0.f;
    for (int other = 0; other < kGroups; ++other) sum += sums[other][threadIdx.x][i];
    mean[i] = sum / static_cast<float>(count);
  }
  const uint4 packed = make_uint4(pack_bf16(mean[0], mean[1]), pack_bf16(mean[2], mean[3]),
                                  pack_bf16(mean[4], mean[5]), pack_bf16(mean[6], mean[7]));
  *reinterpret_cast<uint4*>(averaging.target[blockIdx.z] + int64_t{blockIdx.x} * row_elements +
                            element) = packed;
}

/// One block of threads per query tile: sets the bits of all blocks before it, then clears those of
/// its list.
__global__ void __launch_bounds__(kListThreads)
    dropped_kernel(BlockLists lists, int kv_offset, int pitch, uint32_t* dropped) {
  __shared__ uint32_t words[kMaxListedKeys / kSelectionBlockKeys / 32];
  const int place = static_cast<int>(blockIdx.x);
  const int thread = static_cast<int>(threadIdx.x);
  const int first_position = kv_offset + place % lists.tiles * kSelectionTileRows;
  const int before = first_position / kSelectionBlockKeys;
  for (int word = thread; word < pitch; word += kListThreads) {
    const int bits = min(max(before - 32 * word, 0), 32);
    words[word] = bits == 32 ? 0xffffffffu : (1u << bits) - 1;
  }
  __syncthreads();
  const uint16_t* list = lists.blocks + int64_t{place} * lists.max_blocks;
  for (int i = thread; i < lists.counts[place]; i += kListThreads) {
    atomicAnd(words + list[i] / 32, ~(1u << list[i] % 32));
  }
  __syncthreads();
  uint32_t* target = dropped + int64_t{place} * pitch;
  for (int word = thread; word < pitch; word += kListThreads) target[word] = words[word];
}

}  // namespace

BlockAverages average_blocks(const DensePrefillParams& params, const BlockLists& lists,
                             const AverageBuffers& buffers, cudaStream_t stream) {
  const Checks checks("block averages");
  checks.require_heads(params.num_heads, params.num_kv_heads, params.head_dim);
  checks.require_pointer(params.key, "key");
  checks.require_pointer(params.value, "value");
  checks.require_pointer(lists.blocks, "blocks");
  checks.require_pointer(lists.counts, "counts", sizeof(int32_t));
  checks.require_pointer(buffers.key, "average key");
  checks.require_pointer(buffers.value, "average value");
  checks.require_pointer(buffers.dropped, "dropped");

  const Averaging averaging{
      {static_cast<const uint16_t*>(params.key), static_cast<const uint16_t*>(params.value)},
      {static_cast<uint16_t*>(buffers.key), static_cast<uint16_t*>(buffers.value)}};
  const int row_elements = params.num_kv_heads * params.head_dim;
  const int row_parts = (row_elements / kPieceElements + kPieces - 1) / kPieces;
  const dim3 blocks(selection_blocks(params.kv_len), row_parts, 2);
  average_kernel<<<blocks, dim3(kPieces, kGroups), 0, stream>>>(averaging, params.block_table,
                                                                params.kv_len, row_elements);
  LONGVIEW_CUDA(cudaGetLastError());
  const int query_tiles = params.num_heads * lists.tiles;
  if (query_tiles > 0) {
    dropped_kernel<<<query_tiles, kListThreads, 0, stream>>>(
        lists, params.kv_len - params.q_len, dropped_pitch(params.kv_len), buffers.dropped);
    LONGVIEW_CUDA(cudaGetLastError());
  }
  return {buffers.key, buffers.value, buffers.dropped};
}

}  // namespace longview::attention
