// Runs every strategy of block selection on small hostile shapes, without
// PyTorch, so that compute-sanitizer can watch it in seconds:
//   compute-sanitizer --tool memcheck longview_selection_device_test
// What stage 1 found goes to the oracle of stage 2, whose lists must agree in
// all tiles but a few: masses at the cut may differ in their last bit.
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <exception>
#include <vector>

#include "attention/sampling/params.h"
#include "attention/selection/api.h"
#include "common/stream.h"
#include "device_testing.h"
#include "reference/selection.h"

using longview::DeviceBuffer;
using longview::Stream;
using longview::attention::BlockSelector;
using longview::attention::SelectionKernels;
using longview::attention::SelectionParams;
using longview::attention::SelectionSettings;
using longview::attention::SelectionStrategy;
using longview::testing::on_device;
using longview::testing::on_host;
using longview::testing::PagedTokens;
using longview::testing::random_bf16;
using longview::testing::to_floats;

namespace {

// Of queries and keys: wide enough that masses differ.
constexpr float kBound = 4.f;

struct Shape {
  int q_len;
  int kv_len;
  int num_heads;
  int num_kv_heads;
  int head_dim;
};

struct Lists {
  std::vector<uint16_t> blocks;
  std::vector<int32_t> counts;
};

/// Keys in a pool whose rows are NaN where they hold no token, and so are the
/// averages and the workspace before.
class Run {
public:
  Run(const BlockSelector &selector, const Shape &shape)
      : shape_(shape),
        max_blocks_(longview::attention::selection_pitch(shape.kv_len)),
        lists_(size_t{1} * shape.num_heads *
               longview::attention::selection_tiles(shape.q_len)) {
    const PagedTokens paged(shape.kv_len);
    const size_t row = size_t{1} * shape.num_kv_heads * shape.head_dim;
    const auto keys = random_bf16(row * shape.kv_len, 2, kBound);
    const longview::attention::SelectionHeads heads{
        shape.num_heads, shape.num_kv_heads, shape.head_dim};
    const auto query = on_device(random_bf16(
        size_t{1} * shape.q_len * shape.num_heads * shape.head_dim, 1, kBound));
    const auto key = on_device(paged.place(keys, row));
    const auto block_table = on_device(paged.block_table);
    const DeviceBuffer<uint8_t> pooled(
        longview::attention::pooled_block_bytes(selector.settings(), heads) *
            paged.pool_blocks +
        16);
    const DeviceBuffer<uint8_t> workspace(
        selector.workspace_bytes(heads, shape.q_len, shape.kv_len) + 16);
    for (const auto *buffer : {&pooled, &workspace}) {
      LONGVIEW_CUDA(cudaMemset(buffer->data(), 0xff, buffer->size_bytes()));
    }
    const DeviceBuffer<uint16_t> blocks(lists_ * max_blocks_);
    const DeviceBuffer<int32_t> counts(lists_);
    LONGVIEW_CUDA(cudaMemset(blocks.data(), 0xff, blocks.size_bytes()));
    SelectionParams params{};
    params.query = query.data();
    params.key = key.data();
    params.pooled_key = pooled.data();
    params.q_len = shape.q_len;
    params.kv_len = shape.kv_len;
    params.heads = heads;
    params.softmax_scale = 1.f / std::sqrt(static_cast<float>(shape.head_dim));
    params.block_table = block_table.data();
    params.pool_blocks = paged.pool_blocks;
    params.workspace = workspace.data();
    params.blocks = blocks.data();
    params.counts = counts.data();
    params.max_blocks = max_blocks_;
    const Stream stream;
    LONGVIEW_CUDA(cudaDeviceSynchronize());
    selector.run(params, stream.get());
    stream.synchronize();
    lists.blocks = on_host(blocks);
    lists.counts = on_host(counts);
    masses = on_host(reinterpret_cast<const uint16_t *>(workspace.data()),
                     workspace.count() / 2);
  }

  /// How many lists are not the oracle's.
  size_t wrong_tiles(const SelectionSettings &settings) const {
    const int rows_of_tile = settings.tiles.sampled_rows;
    const int step = longview::attention::kSelectionTileRows / rows_of_tile;
    const auto rows =
        longview::attention::SampledRows::strided(shape_.q_len, step);
    const std::vector<float> values = to_floats(masses);
    Lists expected{std::vector<uint16_t>(lists.blocks.size()),
                   std::vector<int32_t>(lists.counts.size())};
    longview::reference::filter_tiles(
        {values.data(), rows.groups * 64,
         longview::attention::mass_pitch(shape_.kv_len), nullptr,
         expected.blocks.data(), expected.counts.data(), max_blocks_},
        {shape_.q_len, shape_.kv_len, shape_.num_heads, shape_.num_kv_heads,
         shape_.head_dim, 0.f, settings.pooled_keys, 1 << 30},
        {rows_of_tile, 0, settings.alpha, settings.count_forced_mass,
         settings.sink_blocks, settings.window_tokens, settings.min_blocks,
         settings.max_blocks, settings.dense_above},
        nullptr);
    size_t wrong = 0;
    for (size_t i = 0; i < lists_; ++i) {
      const bool same = lists.counts[i] == expected.counts[i] &&
                        std::memcmp(&lists.blocks[i * max_blocks_],
                                    &expected.blocks[i * max_blocks_],
                                    expected.counts[i] * sizeof(uint16_t)) == 0;
      wrong += same ? 0 : 1;
    }
    return wrong;
  }

  size_t count() const { return lists_; }

private:
  Shape shape_;
  int max_blocks_;
  size_t lists_;
  Lists lists;
  std::vector<uint16_t> masses;
};

int check(const SelectionSettings &settings, SelectionKernels kernels,
          const Shape &shape) {
  const BlockSelector selector(settings, kernels);
  const Run run(selector, shape);
  const size_t wrong = settings.strategy == SelectionStrategy::kTiles
                           ? run.wrong_tiles(settings)
                           : 0;
  if (wrong <= run.count() / 10)
    return 0;
  std::printf("FAIL  strategy %d: %d queries, %d keys, %d/%d heads of %d: %zu "
              "of %zu lists\n",
              static_cast<int>(settings.strategy), shape.q_len, shape.kv_len,
              shape.num_heads, shape.num_kv_heads, shape.head_dim, wrong,
              run.count());
  return 1;
}

int run_all() {
  int failures = 0;
  for (const auto kernels :
       {SelectionKernels::kFastest, SelectionKernels::kPortable}) {
    for (const int pooled_keys : {1, 4, 8, 16}) {
      for (const auto strategy :
           {SelectionStrategy::kTiles, SelectionStrategy::kStrips,
            SelectionStrategy::kColumns}) {
        SelectionSettings settings;
        settings.strategy = strategy;
        settings.pooled_keys = pooled_keys;
        settings.tiles.sampled_rows = pooled_keys == 1 ? 16 : 128 / pooled_keys;
        settings.strips.segment_tokens = 256;
        settings.window_tokens = 128;
        for (const Shape &shape :
             {Shape{1, 1281, 3, 1, 64}, Shape{130, 770, 12, 2, 128},
              Shape{385, 2305, 7, 1, 64}, Shape{1500, 1500, 4, 4, 128}}) {
          failures += check(settings, kernels, shape);
        }
      }
    }
  }
  return failures;
}

} // namespace

int main() {
  try {
    const int failures = run_all();
    std::printf(failures == 0 ? "selection: ok\n" : "selection: %d wrong\n",
                failures);
    return failures == 0 ? 0 : 1;
  } catch (const std::exception &error) {
    std::printf("selection: %s\n", error.what());
    return 1;
  }
}
