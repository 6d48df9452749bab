#include "decoder/memory_plan.h"

#include <algorithm>
#include <cstdint>
#include <cstdio>

#include "common/kv_block.h"
#include "decoder/errors.h"

namespace longview::decoder {

namespace {

std::string gigabytes(size_t bytes) {
  char text[32];
  std::snprintf(text, sizeof(text), "%.1f GB", static_cast<double>(bytes) / 1e9);
  return text;
}

std::string with_commas(int number) {
  std::string text = std::to_string(number);
  for (int at = static_cast<int>(text.size()) - 3; at > 0; at -= 3) text.insert(at, ",");
  return text;
}

/// Tokens whose KV fits beside everything else.
int fitting_tokens(const MemoryDemand& demand, size_t other_bytes, size_t free_bytes) {
  const size_t taken = other_bytes + kReservedBytes;
  if (free_bytes <= taken) return 0;
  const size_t blocks = (free_bytes - taken) / demand.kv_block_bytes;
  return static_cast<int>(std::min<size_t>(blocks, INT32_MAX / KV_BLOCK_TOKENS) * KV_BLOCK_TOKENS);
}

MemoryPlan plan_with(const MemoryDemand& demand, WeightForm form, int context_tokens,
                     size_t free_bytes) {
  const bool is_bf16 = form == WeightForm::kBf16;
  MemoryPlan plan{};
  plan.form = form;
  plan.context_tokens = context_tokens;
  plan.weight_bytes = is_bf16 ? demand.bf16_weight_bytes : demand.stored_weight_bytes;
  plan.fp8_weight_bytes = demand.fp8_weight_bytes;
  plan.workspace_bytes = demand.workspace_bytes + (is_bf16 ? 0 : demand.layer_scratch_bytes);
  plan.fitting_tokens = fitting_tokens(
      demand, plan.weight_bytes + plan.fp8_weight_bytes + plan.workspace_bytes, free_bytes);
  const int needed = kv_blocks(context_tokens);
  const int spare = std::max(0, plan.fitting_tokens / KV_BLOCK_TOKENS - needed) / 2;
  plan.kv_blocks = needed + std::min((kPoolContexts - 1) * needed, spare);
  plan.kv_bytes = demand.kv_block_bytes * plan.kv_blocks;
  return plan;
}

}  // namespace

MemoryPlan plan_memory(const MemoryDemand& demand, int context_tokens, size_t free_bytes,
                       std::optional<WeightForm> form) {
  MemoryPlan plan =
      plan_with(demand, form.value_or(WeightForm::kBf16), context_tokens, free_bytes);
  if (!form && plan.fitting_tokens < context_tokens) {
    plan = plan_with(demand, WeightForm::kAsStored, context_tokens, free_bytes);
  }
  if (plan.fitting_tokens >= context_tokens) return plan;
  const std::string what_fits = plan.fitting_tokens > 0
                                    ? with_commas(plan.fitting_tokens) + " tokens fit"
                                    : "not even the weights fit";
  throw MemoryError(describe(plan) + " do not fit into the " + gigabytes(free_bytes) +
                        " that are free on the GPU: " + what_fits,
                    plan.fitting_tokens);
}

std::string describe(const MemoryPlan& plan) {
  const bool keeps_earlier = plan.kv_blocks > kv_blocks(plan.context_tokens);
  const std::string copies =
      plan.fp8_weight_bytes > 0 ? " + copies in fp8 " + gigabytes(plan.fp8_weight_bytes) : "";
  return "weights " + gigabytes(plan.weight_bytes) + copies + " + KV " + gigabytes(plan.kv_bytes) + " for " +
         with_commas(plan.context_tokens) + " tokens" + (keeps_earlier ? " and earlier prompts" : "") +
         " + workspace " + gigabytes(plan.workspace_bytes);
}

}  // namespace longview::decoder
