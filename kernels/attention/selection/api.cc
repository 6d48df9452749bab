#include "attention/selection/api.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <stdexcept>
#include <string>

#include "attention/checks.h"
#include "attention/sampling/params.h"
#include "attention/sampling/pool_keys.h"
#include "attention/sampling/portable/launch.h"
#include "attention/sampling/sm90/launch.h"
#include "attention/selection/strip_filter.h"
#include "attention/selection/tile_filter.h"
#include "common/device.h"
#include "common/kv_block.h"

namespace longview::attention {

namespace {

constexpr Checks kChecks("block selection");

bool is_one_of(int value, int a, int b, int c) { return value == a || value == b || value == c; }

void validate(const SelectionSettings& settings) {
  const TileSettings& tiles = settings.tiles;
  const StripSettings& strips = settings.strips;
  const ColumnSettings& columns = settings.columns;
  kChecks.require(
      is_one_of(tiles.sampled_rows, 8, 16, 32),
      std::to_string(tiles.sampled_rows) + " sampled rows of a tile are not 8, 16 or 32");
  kChecks.require(
      settings.pooled_keys == 1 || is_one_of(settings.pooled_keys, 4, 8, 16),
      "averages of " + std::to_string(settings.pooled_keys) + " keys are not of 1, 4, 8 or 16");
  kChecks.require(strips.segment_tokens > 0 && strips.segment_tokens % kSelectionTileRows == 0,
                  "segments of " + std::to_string(strips.segment_tokens) +
                      " tokens are no multiple of " + std::to_string(kSelectionTileRows));
  kChecks.require(columns.row_step > 0,
                  "one row in " + std::to_string(columns.row_step) + " cannot be sampled");
  kChecks.require(!std::isnan(settings.alpha), "alpha is not a number");
  kChecks.require(!std::isnan(strips.alpha_slashes), "alpha_slashes is not a number");
  kChecks.require(columns.window_share >= 0.f && columns.window_share <= 1.f,
                  "window_share is not between 0 and 1");
  kChecks.require(!std::isnan(settings.dense_above), "dense_above is not a number");
  kChecks.require(settings.sink_blocks >= 0 && settings.window_tokens >= 0,
                  "sink_blocks or window_tokens is negative");
  kChecks.require(settings.min_blocks >= 0 && settings.max_blocks >= 0,
                  "min_blocks or max_blocks is negative");
}

void validate(const SelectionParams& params, const SelectionSettings& settings) {
  const SelectionHeads& heads = params.heads;
  kChecks.require_heads(heads.num_heads, heads.num_kv_heads, heads.head_dim);
  kChecks.require(
      params.q_len >= 0 && params.q_len <= params.kv_len,
      std::to_string(params.q_len) + " queries over " + std::to_string(params.kv_len) + " keys");
  kChecks.require(
      params.kv_len <= kMaxSelectionKeys,
      std::to_string(params.kv_len) + " keys are more than " + std::to_string(kMaxSelectionKeys));
  kChecks.require_scale(params.softmax_scale);
  if (params.q_len == 0) return;
  const int first = params.kv_len - params.q_len;
  kChecks.require(first % kSelectionTileRows == 0,
                  "the first query is at position " + std::to_string(first) +
                      ", not on a multiple of " + std::to_string(kSelectionTileRows));
  kChecks.require(params.pool_from >= 0 && params.pool_from <= first,
                  "pool_from " + std::to_string(params.pool_from) + " lies behind the first query");
  kChecks.require_pointer(params.query, "query");
  kChecks.require_pointer(params.key, "key");
  if (settings.pooled_keys > 1) kChecks.require_pointer(params.pooled_key, "pooled_key");
  kChecks.require_pointer(params.workspace, "workspace");
  kChecks.require_pointer(params.blocks, "blocks");
  kChecks.require_pointer(params.counts, "counts", sizeof(int32_t));
  kChecks.require_aligned(params.head_alpha, "head_alpha", sizeof(float));
  kChecks.require(
      params.max_blocks >= selection_blocks(params.kv_len) && params.max_blocks % 8 == 0,
      "max_blocks " + std::to_string(params.max_blocks) +
          " is not a multiple of 8 that holds the blocks of " + std::to_string(params.kv_len) +
          " keys");
  if (params.block_table == nullptr) return;
  kChecks.require_aligned(params.block_table, "block_table", sizeof(int32_t));
  kChecks.require(params.pool_blocks >= kv_blocks(params.kv_len),
                  "a pool of " + std::to_string(params.pool_blocks) + " blocks for " +
                      std::to_string(params.kv_len) + " keys");
}

SampledRows rows_of(int q_len, const SelectionSettings& settings) {
  switch (settings.strategy) {
    case SelectionStrategy::kTiles:
      return SampledRows::strided(q_len, kSelectionTileRows / settings.tiles.sampled_rows);
    case SelectionStrategy::kColumns:
      return SampledRows::strided(q_len, settings.columns.row_step);
    case SelectionStrategy::kStrips:
      break;
  }
  if (q_len < kSampledGroupRows) return SampledRows::strided(0, 1);
  return SampledRows::tails(q_len, settings.strips.segment_tokens);
}

/// The masses come first in the workspace.
size_t mass_bytes(const SampledRows& rows, int num_heads, int kv_len) {
  const size_t bytes =
      sizeof(uint16_t) * num_heads * kSampledGroupRows * rows.groups * mass_pitch(kv_len);
  return (bytes + 255) / 256 * 256;
}

PoolKeysParams pooling_of(const SelectionParams& params, const SelectionSettings& settings) {
  PoolKeysParams pooling{};
  pooling.key = params.key;
  pooling.pooled_key = params.pooled_key;
  pooling.first_token = params.pool_from;
  pooling.kv_len = params.kv_len;
  pooling.num_kv_heads = params.heads.num_kv_heads;
  pooling.head_dim = params.heads.head_dim;
  pooling.pooled_keys = settings.pooled_keys;
  pooling.block_table = params.block_table;
  return pooling;
}

SamplingParams sampling_of(const SelectionParams& params, const SelectionSettings& settings) {
  SamplingParams sampling{};
  sampling.query = params.query;
  sampling.pooled_key = settings.pooled_keys == 1 ? params.key : params.pooled_key;
  sampling.block_masses = static_cast<uint16_t*>(params.workspace);
  sampling.q_len = params.q_len;
  sampling.kv_len = params.kv_len;
  sampling.num_heads = params.heads.num_heads;
  sampling.num_kv_heads = params.heads.num_kv_heads;
  sampling.head_dim = params.heads.head_dim;
  sampling.softmax_scale = params.softmax_scale;
  sampling.rows = rows_of(params.q_len, settings);
  sampling.pooled_keys = settings.pooled_keys;
  sampling.block_table = params.block_table;
  sampling.pool_blocks = params.pool_blocks;
  return sampling;
}

TileFilterParams tile_filter_of(const SelectionParams& params, const SelectionSettings& settings) {
  const SampledRows rows = rows_of(params.q_len, settings);
  TileFilterParams filter{};
  filter.block_masses = static_cast<const uint16_t*>(params.workspace);
  filter.mass_rows = kSampledGroupRows * rows.groups;
  filter.mass_pitch = mass_pitch(params.kv_len);
  filter.sampled_rows = rows.count;
  filter.blocks = params.blocks;
  filter.counts = params.counts;
  filter.max_blocks = params.max_blocks;
  filter.tiles = selection_tiles(params.q_len);
  filter.num_heads = params.heads.num_heads;
  filter.kv_offset = params.kv_len - params.q_len;
  filter.kv_len = params.kv_len;
  filter.dense_from = params.dense_from;
  filter.head_alpha = params.head_alpha;
  filter.settings = settings;
  return filter;
}

StripFilterParams strip_filter_of(const SelectionParams& params,
                                  const SelectionSettings& settings) {
  const bool strips = settings.strategy == SelectionStrategy::kStrips;
  StripFilterParams filter{};
  filter.block_masses = static_cast<const uint16_t*>(params.workspace);
  filter.mass_pitch = mass_pitch(params.kv_len);
  filter.rows = rows_of(params.q_len, settings);
  filter.pooled_keys = settings.pooled_keys;
  filter.blocks = params.blocks;
  filter.counts = params.counts;
  filter.max_blocks = params.max_blocks;
  filter.tiles = selection_tiles(params.q_len);
  filter.num_heads = params.heads.num_heads;
  filter.q_len = params.q_len;
  filter.kv_len = params.kv_len;
  filter.dense_from = params.dense_from;
  filter.strip_blocks = strips ? kSelectionTileRows / kSelectionBlockKeys : 1;
  filter.slashes = strips;
  filter.alpha_columns = settings.alpha;
  filter.alpha_slashes = settings.strips.alpha_slashes;
  filter.head_alpha = params.head_alpha;
  filter.sink_blocks = settings.sink_blocks;
  const float window =
      strips ? 0.f : settings.columns.window_share * static_cast<float>(params.kv_len);
  filter.window_tokens = std::max(settings.window_tokens, static_cast<int>(std::ceil(window)));
  filter.workspace = static_cast<uint8_t*>(params.workspace) +
                     mass_bytes(filter.rows, filter.num_heads, params.kv_len);
  return filter;
}

}  // namespace

class BlockSelector::Implementation {
 public:
  Implementation(const SelectionSettings& settings, SelectionKernels kernels)
      : settings_(settings) {
    validate(settings);
    const int major = device_attribute(cudaDevAttrComputeCapabilityMajor);
    const int minor = device_attribute(cudaDevAttrComputeCapabilityMinor);
    if (major < 8) {
      throw std::runtime_error("block selection: no kernel for compute capability " +
                               std::to_string(major) + "." + std::to_string(minor));
    }
    if (kernels == SelectionKernels::kFastest && major == 9 && minor == 0) {
      hopper_ = sm90::make_sampling_device();
    }
  }

  const SelectionSettings& settings() const { return settings_; }

  void run(const SelectionParams& params, SelectionStages stages, cudaStream_t stream) const {
    validate(params, settings_);
    if (params.q_len == 0) return;
    if (stages != SelectionStages::kFiltering) sample(params, stream);
    if (stages == SelectionStages::kSampling) return;
    if (settings_.strategy == SelectionStrategy::kTiles) {
      filter_tiles(tile_filter_of(params, settings_), stream);
    } else {
      filter_strips(strip_filter_of(params, settings_), stream);
    }
  }

 private:
  void sample(const SelectionParams& params, cudaStream_t stream) const {
    pool_keys(pooling_of(params, settings_), stream);
    const SamplingParams sampling = sampling_of(params, settings_);
    if (sampling.rows.groups == 0) return;
    if (hopper_) {
      sm90::launch_sampling(sampling, *hopper_, stream);
    } else {
      portable::launch_sampling(sampling, stream);
    }
  }

  SelectionSettings settings_;
  std::optional<sm90::SamplingDevice> hopper_;  // none: the portable kernels
};

BlockSelector::BlockSelector(const SelectionSettings& settings, SelectionKernels kernels)
    : implementation_(std::make_unique<Implementation>(settings, kernels)) {}

BlockSelector::~BlockSelector() = default;
BlockSelector::BlockSelector(BlockSelector&&) noexcept = default;

const SelectionSettings& BlockSelector::settings() const { return implementation_->settings(); }

size_t BlockSelector::workspace_bytes(const SelectionHeads& heads, int q_len, int kv_len) const {
  const SampledRows rows = rows_of(q_len, settings());
  const size_t bytes = mass_bytes(rows, heads.num_heads, kv_len);
  if (settings().strategy == SelectionStrategy::kTiles) return bytes;
  return bytes + strip_filter_bytes(heads.num_heads, rows.groups, kv_len);
}

void BlockSelector::run(const SelectionParams& params, cudaStream_t stream,
                        SelectionStages stages) const {
  implementation_->run(params, stages, stream);
}

size_t pooled_block_bytes(const SelectionSettings& settings, const SelectionHeads& heads) {
  if (settings.pooled_keys == 1) return 0;
  return sizeof(uint16_t) * (KV_BLOCK_TOKENS / settings.pooled_keys) * heads.num_kv_heads *
         heads.head_dim;
}

}  // namespace longview::attention
