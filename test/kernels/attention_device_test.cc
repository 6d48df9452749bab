// Runs every attention kernel on small hostile shapes against the oracle,
// without PyTorch, so that compute-sanitizer can watch it in seconds:
//   compute-sanitizer --tool memcheck longview_attention_device_test
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <vector>

#include "attention/decode/api.h"
#include "attention/dense/api.h"
#include "attention/sparse/api.h"
#include "common/kv_block.h"
#include "common/stream.h"
#include "device_testing.h"
#include "reference/attention.h"

using longview::DeviceBuffer;
using longview::KV_BLOCK_TOKENS;
using longview::Stream;
using longview::attention::BlockLists;
using longview::attention::DecodeParams;
using longview::attention::DecodeShape;
using longview::attention::DensePrefill;
using longview::attention::DensePrefillParams;
using longview::attention::kSelectionBlockKeys;
using longview::attention::kSelectionTileRows;
using longview::attention::PrefillKernel;
using longview::attention::SparsePrefill;
using longview::reference::AttentionParams;
using longview::testing::kNan;
using longview::testing::on_device;
using longview::testing::on_host;
using longview::testing::PagedTokens;
using longview::testing::random_bf16;
using longview::testing::to_float;
using longview::testing::to_floats;

namespace {

// Values are within [-1, 1]; bf16 rounds them, and the probabilities, at 2^-9.
constexpr float kTolerance = 0.01f;

struct Shape {
  int q_len;
  int kv_len;
  int num_heads;
  int num_kv_heads;
  int head_dim;
};

float softmax_scale(const Shape &shape) {
  return 1.f / std::sqrt(static_cast<float>(shape.head_dim));
}

/// The inputs of one case: keys and values in pools; rows that hold no token
/// are NaN.
struct Inputs {
  explicit Inputs(const Shape &shape)
      : query(random_bf16(
            size_t{1} * shape.q_len * shape.num_heads * shape.head_dim, 1)),
        paged(shape.kv_len) {
    const size_t row = size_t{1} * shape.num_kv_heads * shape.head_dim;
    key = paged.place(random_bf16(row * shape.kv_len, 2), row);
    value = paged.place(random_bf16(row * shape.kv_len, 3), row);
  }

  std::vector<uint16_t> query;
  std::vector<uint16_t> key;
  std::vector<uint16_t> value;
  PagedTokens paged;
};

/// Lists of every third block or so, and of the tiles' own; entries behind the
/// end of a list must not be followed.
struct HostLists {
  explicit HostLists(const Shape &shape)
      : tiles(longview::attention::selection_tiles(shape.q_len)),
        max_blocks(longview::attention::selection_pitch(shape.kv_len)),
        blocks(size_t{1} * shape.num_heads * tiles * max_blocks, 0xffff) {
    const std::vector<uint16_t> dice = random_bf16(blocks.size(), 4);
    for (int place = 0; place < shape.num_heads * tiles; ++place) {
      const int first =
          shape.kv_len - shape.q_len + place % tiles * kSelectionTileRows;
      const int end = std::min(first + kSelectionTileRows, shape.kv_len);
      int count = 0;
      for (int block = 0; block * kSelectionBlockKeys < end; ++block) {
        const size_t at = size_t{1} * place * max_blocks;
        const bool own = block * kSelectionBlockKeys >= first;
        if (own || to_float(dice[at + block]) > 0.3f)
          blocks[at + count++] = static_cast<uint16_t>(block);
      }
      counts.push_back(count);
    }
  }

  int tiles;
  int max_blocks;
  std::vector<uint16_t> blocks;
  std::vector<int32_t> counts;
};

/// With `lists`, over their blocks alone.
std::vector<float> expected_output(const Shape &shape, const Inputs &inputs,
                                   const HostLists *lists = nullptr) {
  const std::vector<float> query = to_floats(inputs.query);
  const std::vector<float> key = to_floats(inputs.key);
  const std::vector<float> value = to_floats(inputs.value);
  std::vector<float> output(query.size(), NAN);
  AttentionParams params{query.data(),
                         key.data(),
                         value.data(),
                         output.data(),
                         shape.q_len,
                         shape.kv_len,
                         shape.num_heads,
                         shape.num_kv_heads,
                         shape.head_dim,
                         softmax_scale(shape),
                         inputs.paged.block_table.data(),
                         KV_BLOCK_TOKENS};
  if (lists == nullptr) {
    longview::reference::dense_causal_attention(params);
  } else {
    longview::reference::sparse_causal_attention(
        params, {lists->blocks.data(), lists->counts.data(), lists->tiles,
                 lists->max_blocks, kSelectionTileRows, kSelectionBlockKeys});
  }
  return output;
}

/// What a kernel made of a case; `launch(device tensors, output, stream)`.
template <class Launch>
std::vector<float> device_output(const Inputs &inputs, Launch launch) {
  const Stream stream;
  const auto query = on_device(inputs.query);
  const auto key = on_device(inputs.key);
  const auto value = on_device(inputs.value);
  const auto block_table = on_device(inputs.paged.block_table);
  const auto output =
      on_device(std::vector<uint16_t>(inputs.query.size(), kNan));
  launch(query.data(), key.data(), value.data(), block_table.data(),
         output.data(), stream.get());
  stream.synchronize();
  return to_floats(on_host(output));
}

std::vector<float> prefill(const DensePrefill &kernel, const Shape &shape,
                           const Inputs &inputs) {
  return device_output(inputs, [&](auto *query, auto *key, auto *value,
                                   auto *table, auto *output,
                                   cudaStream_t stream) {
    DensePrefillParams params{query,           key,
                              value,           output,
                              shape.q_len,     shape.kv_len,
                              shape.num_heads, shape.num_kv_heads,
                              shape.head_dim,  softmax_scale(shape),
                              table,           inputs.paged.pool_blocks};
    kernel.run(params, stream);
  });
}

std::vector<float> sparse(const SparsePrefill &kernel, const Shape &shape,
                          const Inputs &inputs, const HostLists &lists) {
  const auto blocks = on_device(lists.blocks);
  const auto counts = on_device(lists.counts);
  return device_output(inputs, [&](auto *query, auto *key, auto *value,
                                   auto *table, auto *output,
                                   cudaStream_t stream) {
    DensePrefillParams params{query,           key,
                              value,           output,
                              shape.q_len,     shape.kv_len,
                              shape.num_heads, shape.num_kv_heads,
                              shape.head_dim,  softmax_scale(shape),
                              table,           inputs.paged.pool_blocks};
    kernel.run(
        params,
        BlockLists{blocks.data(), counts.data(), lists.tiles, lists.max_blocks},
        stream);
  });
}

std::vector<float> decode(const Shape &shape, const Inputs &inputs) {
  const DecodeShape decode_shape{shape.kv_len + 1000, shape.num_heads,
                                 shape.num_kv_heads, shape.head_dim};
  const DeviceBuffer<uint8_t> workspace(
      longview::attention::decode_workspace_bytes(decode_shape));
  const auto kv_len = on_device(std::vector<int>{shape.kv_len});
  return device_output(inputs, [&](auto *query, auto *key, auto *value,
                                   auto *table, auto *output,
                                   cudaStream_t stream) {
    const DecodeParams params{query,  key,           value,
                              table,  kv_len.data(), workspace.data(),
                              output, decode_shape,  softmax_scale(shape)};
    longview::attention::flash_decode(params, stream);
  });
}

/// Returns how many outputs are wrong: 0 or 1. A NaN is wrong, too.
int check(const char *kernel, const Shape &shape,
          const std::vector<float> &actual,
          const std::vector<float> &expected) {
  for (size_t i = 0; i < expected.size(); ++i) {
    if (std::abs(actual[i] - expected[i]) <= kTolerance)
      continue;
    std::printf("FAIL  %s: %d queries, %d keys, %d/%d heads of %d: element "
                "%zu is %g, not %g\n",
                kernel, shape.q_len, shape.kv_len, shape.num_heads,
                shape.num_kv_heads, shape.head_dim, i, actual[i], expected[i]);
    return 1;
  }
  return 0;
}

int run_sparse() {
  constexpr int kMaxQueryTiles = 64;
  const SparsePrefill fastest(kMaxQueryTiles);
  const SparsePrefill portable(kMaxQueryTiles, PrefillKernel::kPortable);
  int failures = 0;
  for (const int head_dim : {64, 128}) {
    for (const Shape &shape :
         {Shape{1, 1, 3, 1, head_dim}, Shape{1, 641, 12, 2, head_dim},
          Shape{65, 65, 9, 3, head_dim}, Shape{130, 258, 4, 4, head_dim},
          Shape{200, 1480, 14, 2, head_dim}}) {
      const Inputs inputs(shape);
      const HostLists lists(shape);
      const std::vector<float> expected =
          expected_output(shape, inputs, &lists);
      failures += check("sparse", shape, sparse(fastest, shape, inputs, lists),
                        expected);
      failures += check("portable sparse", shape,
                        sparse(portable, shape, inputs, lists), expected);
    }
  }
  return failures;
}

int run_all() {
  const DensePrefill fastest;
  const DensePrefill portable(PrefillKernel::kPortable);
  int failures = 0;
  for (const int head_dim : {64, 128}) {
    for (const Shape &shape :
         {Shape{1, 1, 3, 1, head_dim}, Shape{1, 641, 12, 2, head_dim},
          Shape{33, 33, 9, 3, head_dim}, Shape{130, 161, 4, 4, head_dim},
          Shape{5, 645, 14, 2, head_dim}}) {
      const Inputs inputs(shape);
      const std::vector<float> expected = expected_output(shape, inputs);
      failures +=
          check("prefill", shape, prefill(fastest, shape, inputs), expected);
      failures += check("portable prefill", shape,
                        prefill(portable, shape, inputs), expected);
      if (shape.q_len == 1)
        failures += check("decode", shape, decode(shape, inputs), expected);
    }
  }
  return failures;
}

} // namespace

int main() {
  try {
    const int failures = run_all() + run_sparse();
    std::printf(failures == 0 ? "attention: ok\n" : "attention: %d wrong\n",
                failures);
    return failures == 0 ? 0 : 1;
  } catch (const std::exception &error) {
    std::printf("attention: %s\n", error.what());
    return 1;
  }
}
