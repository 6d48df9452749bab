#include "reference/selection.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <vector>

#include "reference/mass_order.h"
#include "reference/rounding.h"

namespace longview::reference {

namespace {

// A row's masses are relative to the largest of its first averages, times 2^60.
constexpr int kReferenceAverages = 160;
constexpr int kReferenceKeys = 128;  // the same without averages
constexpr double kMassExponent = 60.0;

/// Averages of the keys of one KV head: [kv_len / pooled_keys, head_dim].
std::vector<float> averages(const SampledMassParams& params, int kv_head) {
  const SelectionShape& shape = params.shape;
  const int pooled = params.shape.pooled_keys;
  std::vector<float> result;
  for (int group = 0; group < shape.kv_len / pooled; ++group) {
    for (int d = 0; d < shape.head_dim; ++d) {
      float sum = 0.f;
      for (int i = 0; i < pooled; ++i) {
        const size_t token = static_cast<size_t>(group) * pooled + i;
        sum += params.key[(token * shape.num_kv_heads + kv_head) * shape.head_dim + d];
      }
      result.push_back(round_to_bf16(sum / static_cast<float>(pooled)));
    }
  }
  return result;
}

/// log2 of each visible average's weight in one row.
std::vector<double> scores_of(const SampledMassParams& params, const float* query,
                              const std::vector<float>& averaged, int visible) {
  const int dim = params.shape.head_dim;
  std::vector<double> scores(visible);
  for (int j = 0; j < visible; ++j) {
    double dot = 0.0;
    for (int d = 0; d < dim; ++d) {
      dot += static_cast<double>(query[d]) * averaged[static_cast<size_t>(j) * dim + d];
    }
    scores[j] = dot * params.shape.softmax_scale * M_LOG2E;
  }
  return scores;
}

/// bf16 masses of one row's blocks.
void masses_of(const std::vector<double>& scores, int averages_of_block, int blocks,
               float* masses) {
  const size_t visible = scores.size();
  double maximum = -INFINITY;
  const size_t first_ones = averages_of_block == kBlockKeys ? kReferenceKeys : kReferenceAverages;
  for (size_t j = 0; j < std::min(visible, first_ones); ++j) {
    maximum = std::fmax(maximum, scores[j]);
  }
  const double shift = (std::isfinite(maximum) ? maximum : 0.0) + kMassExponent;
  for (int block = 0; block < blocks; ++block) {
    const size_t first = std::min<size_t>(visible, static_cast<size_t>(block) * averages_of_block);
    const size_t end = std::min<size_t>(visible, first + averages_of_block);
    double sum = 0.0;
    for (size_t j = first; j < end; ++j) sum += std::exp2(scores[j] - shift);
    masses[block] = round_to_bf16(sum);
  }
}

}  // namespace

void sampled_masses(const SampledMassParams& params) {
  const SelectionShape& shape = params.shape;
  const int blocks = blocks_of(shape.kv_len);
  for (int head = 0; head < shape.num_heads; ++head) {
    const std::vector<float> averaged =
        averages(params, head / (shape.num_heads / shape.num_kv_heads));
    for (int i = 0; i < params.row_count; ++i) {
      const int row = params.rows[i];
      const int visible = (shape.kv_len - shape.q_len + row + 1) / shape.pooled_keys;
      const float* query =
          params.query + (static_cast<size_t>(row) * shape.num_heads + head) * shape.head_dim;
      const size_t place = static_cast<size_t>(head) * params.row_count + i;
      masses_of(scores_of(params, query, averaged, visible), kBlockKeys / shape.pooled_keys, blocks,
                params.masses + place * blocks);
    }
  }
}

}  // namespace longview::reference
