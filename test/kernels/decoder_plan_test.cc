// The plan of device memory, the places of weights in it, and the blocks of the KV pool: host code.
#include <cstdio>
#include <functional>
#include <set>
#include <string>
#include <vector>

#include "common/kv_block.h"
#include "decoder/block_allocator.h"
#include "decoder/errors.h"
#include "decoder/memory_plan.h"
#include "decoder/region.h"
#include "decoder/weight_layout.h"

namespace {

using namespace longview::decoder;
using longview::quant::BlockFormat;

int failures = 0;

void check(bool holds, const std::string& what) {
  if (holds) return;
  ++failures;
  std::printf("FAILED: %s\n", what.c_str());
}

template <class Error>
std::string message_of(const std::function<void()>& run) {
  try {
    run();
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

ModelSpec tiny_spec() {
  ModelSpec spec{};
  spec.layers = 3;
  spec.hidden_size = 128;
  spec.feed_forward_size = 192;
  spec.num_heads = 4;
  spec.num_kv_heads = 2;
  spec.head_dim = 64;
  spec.vocab_size = 96;
  spec.trained_context_tokens = 4096;
  spec.norm_epsilon = 1e-5f;
  spec.tied_head = true;
  spec.qkv_bias = true;
  return spec;
}

std::vector<TensorEntry> tensors_of(const ModelSpec& spec) {
  std::vector<TensorEntry> tensors;
  const auto add = [&](const std::string& name, BlockFormat format, int rows, int columns) {
    tensors.push_back({name, format, rows, columns, 0});
  };
  add("token_embd.weight", BlockFormat::kQ8_0, spec.vocab_size, spec.hidden_size);
  add("output_norm.weight", BlockFormat::kF32, 1, spec.hidden_size);
  const LayerShape shape = layer_shape(spec);
  for (int layer = 0; layer < spec.layers; ++layer) {
    const std::string block = "blk." + std::to_string(layer) + ".";
    add(block + "attn_norm.weight", BlockFormat::kF32, 1, spec.hidden_size);
    add(block + "ffn_norm.weight", BlockFormat::kF32, 1, spec.hidden_size);
    add(block + "attn_q.bias", BlockFormat::kF32, 1, spec.query_size());
    add(block + "attn_k.bias", BlockFormat::kF32, 1, spec.kv_size());
    add(block + "attn_v.bias", BlockFormat::kF32, 1, spec.kv_size());
    for (const LayerPart& part : shape.parts) {
      add(block + part.name + ".weight", BlockFormat::kQ4_1, part.rows, part.columns);
    }
  }
  return tensors;
}

/// Every row of every fused matrix is written exactly once.
void test_parts_cover_matrices() {
  const ModelSpec spec = tiny_spec();
  const LayerShape shape = layer_shape(spec);
  std::set<std::pair<size_t, int>> rows;
  size_t count = 0;
  for (const LayerPart& part : shape.parts) {
    for (int row = 0; row < part.rows; ++row) rows.insert({part.matrix_offset, part.row_map(row)});
    count += part.rows;
  }
  check(rows.size() == count, "no row is written twice");
  const int expected = spec.qkv_size() + 2 * spec.hidden_size + 2 * spec.feed_forward_size;
  check(static_cast<int>(count) == expected, "all rows are written");
  int last_gate_up = -1;
  for (const auto& [offset, row] : rows) {
    if (offset == shape.gate_up_offset) last_gate_up = row;
  }
  check(last_gate_up == 2 * spec.feed_forward_size - 1, "gates and ups fill their matrix");
  check(gate_rows()(8) == 16 && up_rows()(0) == 8, "gates and ups take turns of 8 rows");
}

void test_layout() {
  const ModelSpec spec = tiny_spec();
  const TensorTable table(tensors_of(spec));
  const WeightLayout bf16 = lay_out_weights(spec, table, WeightForm::kBf16);
  const WeightLayout stored = lay_out_weights(spec, table, WeightForm::kAsStored);
  check(stored.size_bytes < bf16.size_bytes, "stored weights are smaller");
  check(bf16.layers.size() == 3 && bf16.layers[2].bf16_offset % kRegionAlignment == 0,
        "layers are aligned");
  check(bf16.layers[1].bf16_offset + bf16.shape.size_bytes <= bf16.layers[2].bf16_offset,
        "layers do not overlap");
  const auto& bias = bf16.layers[0].qkv_bias;
  check(bias[1].offset == bias[0].offset + 4 * spec.query_size() &&
            bias[2].offset == bias[1].offset + 4 * spec.kv_size(),
        "biases lie behind each other");
}

void test_bad_tensors() {
  const ModelSpec spec = tiny_spec();
  const auto refuse = [&](const std::function<void(std::vector<TensorEntry>&)>& change) {
    std::vector<TensorEntry> tensors = tensors_of(spec);
    change(tensors);
    return message_of<ModelError>(
        [&] { lay_out_weights(spec, TensorTable(std::move(tensors)), WeightForm::kBf16); });
  };
  check(refuse([](auto& tensors) { tensors.erase(tensors.begin()); }) ==
            "the tensor token_embd.weight is missing",
        "a missing tensor is named");
  check(refuse([](auto& tensors) { tensors[0].columns = 64; }) ==
            "the tensor token_embd.weight has the shape 64 x 96 instead of 128 x 96",
        "an ill-shaped tensor is named");
  check(refuse([](auto& tensors) { tensors[1].format = BlockFormat::kQ8_0; }).find("quantised") !=
            std::string::npos,
        "norms are not quantised");
  check(refuse([](auto& tensors) { tensors[0].format = static_cast<BlockFormat>(99); }).find("99") !=
            std::string::npos,
        "an unknown format is named");
  ModelSpec narrow = spec;
  narrow.head_dim = 32;
  check(message_of<ModelError>([&] { validate(narrow); }).find("not 64 or 128") !=
            std::string::npos,
        "heads of 32 are refused");
}

void test_memory_plan() {
  const size_t gigabyte = 1'000'000'000;
  MemoryDemand demand{};
  demand.bf16_weight_bytes = 3 * gigabyte;
  demand.stored_weight_bytes = gigabyte;
  demand.layer_scratch_bytes = gigabyte / 10;
  demand.workspace_bytes = gigabyte / 2;
  demand.kv_block_bytes = size_t{28672} * longview::KV_BLOCK_TOKENS;

  const MemoryPlan roomy = plan_memory(demand, 131072, 140 * gigabyte);
  check(roomy.form == WeightForm::kBf16, "bf16 where it fits");
  check(roomy.kv_blocks == 3 * 205, "three contexts where there is memory for them");
  check(describe(roomy) == "weights 3.0 GB + KV 11.3 GB for 131,072 tokens and earlier prompts + "
                           "workspace 0.5 GB",
        describe(roomy));
  MemoryDemand with_fp8 = demand;
  with_fp8.fp8_weight_bytes = gigabyte * 13 / 10;
  const MemoryPlan fp8 = plan_memory(with_fp8, 131072, 10 * gigabyte);
  check(describe(fp8).find("weights 3.0 GB + copies in fp8 1.3 GB + KV") == 0, describe(fp8));
  check(fp8.fitting_tokens < plan_memory(demand, 131072, 10 * gigabyte).fitting_tokens,
        "copies in fp8 take the room of KV");
  check(plan_memory(with_fp8, 131072, gigabyte * 85 / 10).form == WeightForm::kAsStored,
        "weights as stored where bf16 beside copies does not fit");
  const MemoryPlan half = plan_memory(demand, 131072, 10 * gigabyte);
  check(half.kv_blocks > 205 && half.kv_blocks < 2 * 205, "earlier prompts leave half of what is free");
  const MemoryPlan tight = plan_memory(demand, 32768, 4 * gigabyte);
  check(tight.form == WeightForm::kAsStored, "as stored where memory is short");
  check(tight.fitting_tokens >= 32768, "and then it fits");

  try {
    plan_memory(demand, 131072, 4 * gigabyte);
    check(false, "what does not fit is refused");
  } catch (const MemoryError& error) {
    check(plan_memory(demand, error.fitting_tokens(), 4 * gigabyte).kv_blocks > 0,
          "what is said to fit does");
    check(std::string(error.what()).find("do not fit into the 4.0 GB") != std::string::npos,
          error.what());
    check(!message_of<MemoryError>([&] {
             plan_memory(demand, error.fitting_tokens() + 1, 4 * gigabyte);
           }).empty(),
          "one token more does not");
  }
  check(message_of<MemoryError>([&] { plan_memory(demand, 640, gigabyte); })
                .find("not even the weights fit") != std::string::npos,
        "weights that do not fit are told");
}

void test_longest_context() {
  ModelSpec spec = tiny_spec();
  check(longest_context_tokens(spec) == 4096, "a context as trained");
  spec.rope.scaling = RopeScaling::kYarn;
  spec.rope.factor = 4.0;
  spec.rope.original_context_tokens = 4096;
  check(longest_context_tokens(spec) == 16384, "a context by YaRN");
  spec.trained_context_tokens = 32768;
  check(longest_context_tokens(spec) == 32768, "a file whose context is stretched already");
}

void test_block_allocator() {
  BlockAllocator allocator(3);
  const int shared = allocator.take();
  allocator.share(shared);
  allocator.give_back(shared);
  check(!allocator.is_shared(shared) && allocator.free_blocks() == 2, "one holder is left");
  allocator.share(shared);
  check(allocator.is_shared(shared), "two hold it");
  allocator.give_back(shared);
  allocator.give_back(shared);
  check(allocator.free_blocks() == 3, "free after the last holder");
  const int first = allocator.take();
  const int second = allocator.take();
  check(first == 0 && second == 1 && allocator.free_blocks() == 1, "lowest first");
  allocator.give_back(first);
  check(allocator.take() == 0, "what was given back is taken again");
  allocator.take();
  check(!message_of<ContextError>([&] { allocator.take(); }).empty(), "an empty pool is told");
}

}  // namespace

int main() {
  test_parts_cover_matrices();
  test_layout();
  test_bad_tensors();
  test_memory_plan();
  test_longest_context();
  test_block_allocator();
  std::printf(failures == 0 ? "decoder plan: all checks passed\n" : "decoder plan: %d failed\n",
              failures);
  return failures == 0 ? 0 : 1;
}
