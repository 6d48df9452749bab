#include <string>

#include "attention/checks.h"
#include "attention/kv_rows.cuh"
#include "attention/sparse/columns.h"
#include "common/cuda_error.h"

namespace longview::attention {

namespace {

constexpr int kThreads = 256;
constexpr int kPieceElements = 8;  // of 16 bytes

/// Keys or values of all KV heads, and the columns gathered from them.
struct Gather {
  const uint16_t* source;  // row 0 of KV head 0
  uint16_t* target;        // [num_heads, capacity, head_dim]
};

/// One thread copies 16 bytes of a key and of its value. Behind a head's last column come zeros, up
/// to the next multiple of a block: what is read there.
__global__ void __launch_bounds__(kThreads)
    gather_kernel(Gather keys, Gather values, ColumnPositions columns, const int32_t* block_table,
                  int num_kv_heads, int heads_per_kv_head, int head_dim) {
  const int head = static_cast<int>(blockIdx.y);
  const int pieces = head_dim / kPieceElements;
  const int thread = static_cast<int>(blockIdx.x * kThreads + threadIdx.x);
  const int column = thread / pieces;
  const int element = thread % pieces * kPieceElements;
  const int count = columns.counts[head];
  const int padded = (count + kSelectionBlockKeys - 1) / kSelectionBlockKeys * kSelectionBlockKeys;
  if (column >= min(padded, columns.capacity)) return;
  const int64_t place = int64_t{head} * columns.capacity + column;
  const int position = column < count ? columns.positions[place] : 0;
  for (const Gather& each : {keys, values}) {
    const KvRows rows{each.source + head / heads_per_kv_head * head_dim, num_kv_heads * head_dim,
                      block_table};
    const uint4 piece = column < count
                            ? *reinterpret_cast<const uint4*>(rows.run(position) + element)
                            : make_uint4(0, 0, 0, 0);
    *reinterpret_cast<uint4*>(each.target + place * head_dim + element) = piece;
  }
}

/// One thread per query tile: how many columns lie before the first key of its list.
__global__ void __launch_bounds__(kThreads)
    visible_kernel(ColumnPositions columns, BlockLists lists, int query_tiles, int32_t* visible) {
  const int place = static_cast<int>(blockIdx.x * kThreads + threadIdx.x);
  if (place >= query_tiles) return;
  const int first_key = lists.blocks[int64_t{place} * lists.max_blocks] * kSelectionBlockKeys;
  const int head = place / lists.tiles;
  const int32_t* positions = columns.positions + int64_t{head} * columns.capacity;
  int begin = 0;
  int end = columns.counts[head];
  while (begin < end) {
    const int middle = (begin + end) / 2;
    if (positions[middle] < first_key) {
      begin = middle + 1;
    } else {
      end = middle;
    }
  }
  visible[place] = begin;
}

void check(const DensePrefillParams& params, const BlockLists& lists,
           const ColumnPositions& columns, const ColumnBuffers& buffers) {
  const Checks checks("gathered columns");
  checks.require_heads(params.num_heads, params.num_kv_heads, params.head_dim);
  checks.require(columns.capacity > 0 && columns.capacity % kSelectionBlockKeys == 0,
                 "a capacity of " + std::to_string(columns.capacity) + " is not a multiple of " +
                     std::to_string(kSelectionBlockKeys));
  checks.require_pointer(params.key, "key");
  checks.require_pointer(params.value, "value");
  checks.require_pointer(lists.blocks, "blocks");
  checks.require_pointer(columns.positions, "positions", sizeof(int32_t));
  checks.require_pointer(columns.counts, "counts", sizeof(int32_t));
  checks.require_pointer(buffers.key, "gathered key");
  checks.require_pointer(buffers.value, "gathered value");
  checks.require_pointer(buffers.visible, "visible", sizeof(int32_t));
}

}  // namespace

GatheredColumns gather_columns(const DensePrefillParams& params, const BlockLists& lists,
                               const ColumnPositions& columns, const ColumnBuffers& buffers,
                               cudaStream_t stream) {
  check(params, lists, columns, buffers);
  const Gather keys{static_cast<const uint16_t*>(params.key), static_cast<uint16_t*>(buffers.key)};
  const Gather values{static_cast<const uint16_t*>(params.value),
                      static_cast<uint16_t*>(buffers.value)};
  const int threads_per_head = columns.capacity * (params.head_dim / kPieceElements);
  const dim3 blocks((threads_per_head + kThreads - 1) / kThreads, params.num_heads);
  gather_kernel<<<blocks, kThreads, 0, stream>>>(
      keys, values, columns, params.block_table, params.num_kv_heads,
      params.num_heads / params.num_kv_heads, params.head_dim);
  LONGVIEW_CUDA(cudaGetLastError());
  const int query_tiles = params.num_heads * lists.tiles;
  if (query_tiles > 0) {
    visible_kernel<<<(query_tiles + kThreads - 1) / kThreads, kThreads, 0, stream>>>(
        columns, lists, query_tiles, buffers.visible);
    LONGVIEW_CUDA(cudaGetLastError());
  }
  return {buffers.key, buffers.value, buffers.visible, columns.capacity};
}

}  // namespace longview::attention
