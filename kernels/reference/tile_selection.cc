// The strategy of tiles: lists from the masses of each tile's sampled rows.
#include <cstddef>
#include <numeric>

#include "reference/mass_order.h"
#include "reference/selection.h"

namespace longview::reference {

namespace {

/// One query tile of one head.
class Tile {
 public:
  Tile(const FilterTensors& tensors, const SelectionShape& shape, const TileSettings& settings,
       int head, int tile)
      : tensors_(tensors), shape_(shape), settings_(settings), head_(head), tile_(tile) {
    first_ = shape.kv_len - shape.q_len + tile * kTileRows;
    last_ = std::min(first_ + kTileRows, shape.kv_len) - 1;
    visible_ = blocks_of(last_ + 1);
    step_ = kTileRows / settings.sampled_rows;
    rows_ = std::min(settings.sampled_rows, shape.q_len / step_ - tile * settings.sampled_rows);
    alpha_ = tensors.head_alpha == nullptr ? settings.alpha : tensors.head_alpha[head];
  }

  std::vector<int> kept() {
    masses_.assign(visible_, 0);
    std::vector<int> everything(visible_);
    std::iota(everything.begin(), everything.end(), 0);
    if (last_ >= shape_.dense_from || alpha_ >= 1.f || rows_ <= 0 ||
        first_candidate() >= end_candidates() || !find_masses()) {
      return everything;
    }
    std::vector<int> kept = smallest_set();
    const float bound = settings_.dense_above * static_cast<float>(visible_);
    return static_cast<float>(kept.size()) > bound ? everything : kept;
  }

  const std::vector<uint32_t>& masses() const { return masses_; }

 private:
  int first_candidate() const { return std::min(settings_.sink_blocks, visible_); }
  int end_candidates() const { return std::max(0, first_ - settings_.window_tokens) / kBlockKeys; }
  bool is_forced(int block) const { return block < first_candidate() || block >= end_candidates(); }

  /// False where a row has masses that do not add up to a number.
  bool find_masses() {
    std::vector<double> sums(visible_, 0.0);
    for (int i = 0; i < rows_; ++i) {
      const int row = tile_ * settings_.sampled_rows + i;
      const size_t place = static_cast<size_t>(head_) * tensors_.row_count + row;
      const int position = first_ + (i + 1) * step_ - 1;
      bool has_nan = false;
      const std::vector<double> shares =
          shares_of(tensors_.row_masses + place * tensors_.pitch,
                    seen_blocks(position, shape_.pooled_keys), has_nan);
      if (has_nan) return false;
      for (size_t b = 0; b < shares.size(); ++b) {
        sums[b] =
            settings_.maximum_score ? std::max(sums[b], shares[b]) : sums[b] + shares[b] / rows_;
      }
    }
    for (int b = 0; b < visible_; ++b) masses_[b] = static_cast<uint32_t>(sums[b] * kMassUnit);
    return true;
  }

  std::vector<int> smallest_set() const {
    std::vector<int> kept;
    std::vector<int> candidates;
    uint64_t forced_mass = 0;
    uint64_t candidate_mass = 0;
    for (int b = 0; b < visible_; ++b) {
      (is_forced(b) ? kept : candidates).push_back(b);
      (is_forced(b) ? forced_mass : candidate_mass) += masses_[b];
    }
    const int forced = static_cast<int>(kept.size());
    const uint64_t base = settings_.count_forced_mass ? forced_mass : 0;
    const double wanted = std::ceil(static_cast<double>(std::max(alpha_, 0.f)) *
                                    static_cast<double>(candidate_mass + base));
    order_by_mass(candidates, masses_.data());
    uint64_t taken = base;
    for (const int block : candidates) {
      const int count = static_cast<int>(kept.size());
      const bool enough = static_cast<double>(taken) >= wanted && count >= settings_.min_blocks;
      if (enough || (settings_.max_blocks > 0 && count >= std::max(settings_.max_blocks, forced))) {
        break;
      }
      kept.push_back(block);
      taken += masses_[block];
    }
    std::sort(kept.begin(), kept.end());
    return kept;
  }

  const FilterTensors& tensors_;
  const SelectionShape& shape_;
  const TileSettings& settings_;
  int head_;
  int tile_;
  int first_;    // position
  int last_;     // position that exists
  int visible_;  // blocks
  int step_;
  int rows_;  // sampled ones that exist
  float alpha_;
  std::vector<uint32_t> masses_;
};

}  // namespace

void filter_tiles(const FilterTensors& tensors, const SelectionShape& shape,
                  const TileSettings& settings, uint32_t* masses) {
  const int tiles = (shape.q_len + kTileRows - 1) / kTileRows;
  for (int head = 0; head < shape.num_heads; ++head) {
    for (int t = 0; t < tiles; ++t) {
      Tile tile(tensors, shape, settings, head, t);
      const std::vector<int> kept = tile.kept();
      const size_t list = static_cast<size_t>(head) * tiles + t;
      std::copy(kept.begin(), kept.end(), tensors.blocks + list * tensors.max_blocks);
      tensors.counts[list] = static_cast<int32_t>(kept.size());
      if (masses == nullptr) continue;
      std::copy(tile.masses().begin(), tile.masses().end(), masses + list * tensors.max_blocks);
    }
  }
}

}  // namespace longview::reference
