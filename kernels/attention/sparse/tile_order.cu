#include "attention/sparse/tile_order.h"
#include "common/cuda_error.h"

namespace longview::attention {

namespace {

constexpr int kThreads = 128;

/// How the tiles of a call are numbered here: as dense prefill hands them out.
struct Tiles {
  const int32_t* counts;   // [num_heads, tiles]
  const int32_t* columns;  // as counts, or null
  int tiles;
  int heads_per_kv_head;
  int count;  // num_heads * tiles

  /// The place in the lists of the tile with number `i`.
  __device__ int place(int i) const {
    const int per_kv_head = tiles * heads_per_kv_head;
    const int kv_head = i / per_kv_head;
    const int in_kv_head = i - kv_head * per_kv_head;
    const int tile = tiles - 1 - in_kv_head / heads_per_kv_head;
    const int head = kv_head * heads_per_kv_head + in_kv_head % heads_per_kv_head;
    return head * tiles + tile;
  }

  /// A word that is larger for longer lists, to the eighth of a power of two, then for smaller `i`;
  /// zero where there is no such tile. No two are equal.
  __device__ uint32_t key(int i) const {
    if (i >= count) return 0;
    const int at = place(i);
    const int gathered = columns == nullptr ? 0 : columns[at] / kSelectionBlockKeys;
    const uint32_t blocks = static_cast<uint32_t>(max(counts[at] + gathered, 1));
    const uint32_t exponent = 31 - __clz(blocks);
    const uint32_t eighths = (blocks << 3 >> exponent) & 7;
    return ((exponent * 8 + eighths) * kMaxQueryTiles) + (kMaxQueryTiles - 1 - i);
  }
};

/// One tile per thread, which goes to where its key ranks among all. That is quadratic, and a few
/// microseconds: a chunk has some thousand tiles.
__global__ void __launch_bounds__(kThreads) order_kernel(Tiles tiles, int32_t* order) {
  __shared__ uint32_t keys[kThreads];
  const int own = static_cast<int>(blockIdx.x * kThreads + threadIdx.x);
  const uint32_t own_key = tiles.key(own);
  int rank = 0;
  for (int first = 0; first < tiles.count; first += kThreads) {
    __syncthreads();
    keys[threadIdx.x] = tiles.key(first + static_cast<int>(threadIdx.x));
    __syncthreads();
#pragma unroll 16
    for (int i = 0; i < kThreads; ++i) rank += keys[i] > own_key;
  }
  if (own < tiles.count) order[rank] = tiles.place(own);
}

}  // namespace

void order_tiles(const SparseCall& call, int32_t* order, cudaStream_t stream) {
  const int num_heads = call.params.num_heads;
  const int count = num_heads * call.lists.tiles;
  const Tiles tiles{call.lists.counts, call.columns.visible, call.lists.tiles,
                    num_heads / call.params.num_kv_heads, count};
  order_kernel<<<(count + kThreads - 1) / kThreads, kThreads, 0, stream>>>(tiles, order);
  LONGVIEW_CUDA(cudaGetLastError());
}

}  // namespace longview::attention
