#include "attention/sparse/api.h"

#include <string>

#include "attention/dense/checks.h"
#include "attention/sparse/portable/launch.h"
#include "attention/sparse/sm90/launch.h"
#include "attention/sparse/tile_order.h"

namespace longview::attention {

namespace {

const Checks kChecks("sparse prefill");

int checked_query_tiles(int max_query_tiles) {
  kChecks.require(max_query_tiles >= 1 && max_query_tiles <= kMaxQueryTiles,
                  std::to_string(max_query_tiles) + " query tiles are not 1 to " +
                      std::to_string(kMaxQueryTiles));
  return max_query_tiles;
}

void check_lists(const DensePrefillParams& params, const BlockLists& lists,
                 size_t max_query_tiles) {
  const int kv_offset = params.kv_len - params.q_len;
  kChecks.require(kv_offset % kSelectionTileRows == 0,
                  std::to_string(kv_offset) +
                      " keys before the first query are not a multiple of " +
                      std::to_string(kSelectionTileRows));
  kChecks.require(lists.tiles == selection_tiles(params.q_len),
                  std::to_string(lists.tiles) + " tiles of lists for " +
                      std::to_string(params.q_len) + " queries");
  kChecks.require(lists.max_blocks % 8 == 0 && lists.max_blocks >= selection_blocks(params.kv_len),
                  "lists of " + std::to_string(lists.max_blocks) + " blocks for " +
                      std::to_string(params.kv_len) + " keys");
  kChecks.require(params.kv_len <= kMaxListedKeys,
                  std::to_string(params.kv_len) + " keys have more blocks than 16 bits count");
  const size_t query_tiles = static_cast<size_t>(params.num_heads) * lists.tiles;
  kChecks.require(
      query_tiles <= max_query_tiles,
      std::to_string(query_tiles) + " query tiles, made for " + std::to_string(max_query_tiles));
  kChecks.require_pointer(lists.blocks, "blocks");
  kChecks.require_pointer(lists.counts, "counts", sizeof(int32_t));
}

void check_columns(const GatheredColumns& columns) {
  kChecks.require(columns.capacity > 0 && columns.capacity % kSelectionBlockKeys == 0,
                  "a capacity of " + std::to_string(columns.capacity) +
                      " columns is not a multiple of " + std::to_string(kSelectionBlockKeys));
  kChecks.require_pointer(columns.key, "gathered key");
  kChecks.require_pointer(columns.value, "gathered value");
  kChecks.require_aligned(columns.visible, "visible", sizeof(int32_t));
}

void check_averages(const BlockAverages& averages) {
  kChecks.require_pointer(averages.key, "average key");
  kChecks.require_pointer(averages.value, "average value");
  kChecks.require_aligned(averages.dropped, "dropped", 16);
}

}  // namespace

SparsePrefill::SparsePrefill(int max_query_tiles, PrefillKernel kernel)
    : hopper_(hopper_device(kernel)), order_(checked_query_tiles(max_query_tiles)) {}

void SparsePrefill::run(SparseCall call, cudaStream_t stream) const {
  const DensePrefillParams& params = call.params;
  check_prefill(kChecks, params);
  if (params.q_len == 0) return;
  check_lists(params, call.lists, order_.count());
  if (call.columns.visible != nullptr) check_columns(call.columns);
  if (call.averages.dropped != nullptr) check_averages(call.averages);
  call.order = order_.data();
  order_tiles(call, order_.data(), stream);
  if (hopper_) {
    sm90::launch_sparse_prefill(call, *hopper_, stream);
  } else {
    portable::launch_sparse_prefill(call, stream);
  }
}

}  // namespace longview::attention
