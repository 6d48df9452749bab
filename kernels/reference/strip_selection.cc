// The strategies of strips and columns: lists from columns and diagonals that all tiles of a call
// share.
#include <cstddef>
#include <numeric>

#include "reference/mass_order.h"
#include "reference/selection.h"

namespace longview::reference {

namespace {

constexpr int kGroupRows = 64;

/// One head.
class Strips {
 public:
  Strips(const FilterTensors& tensors, const int* rows, const SelectionShape& shape,
         const StripSettings& settings, int head)
      : tensors_(tensors),
        rows_(rows),
        shape_(shape),
        settings_(settings),
        head_(head),
        offset_(shape.kv_len - shape.q_len),
        columns_(blocks_of(shape.kv_len), 0),
        slashes_(columns_) {
    for (int i = 0; i < tensors.row_count; ++i) existing_ += rows[i] < shape.q_len;
    for (int first = 0; first < tensors.row_count; first += kGroupRows) add_group(first);
    kept_columns_ = smallest_set(columns_, alpha(settings.alpha_columns));
    kept_slashes_ = smallest_set(slashes_, alpha(settings.alpha_slashes));
  }

  std::vector<int> list(int tile) const {
    const int first = offset_ + tile * kTileRows;
    const int last = std::min(first + kTileRows, shape_.kv_len) - 1;
    const bool everything = last >= shape_.dense_from || existing_ == 0 || has_nan_ ||
                            alpha(settings_.alpha_columns) >= 1.f;
    const int window = std::max(0, first - settings_.window_tokens) / kBlockKeys;
    std::vector<int> list;
    for (int block = 0; block < blocks_of(last + 1); ++block) {
      const int strip = block / settings_.strip_blocks;
      if (everything || block < settings_.sink_blocks || block >= window || kept_columns_[strip] ||
          (settings_.slashes && kept_slashes_[first / kTileRows - strip])) {
        list.push_back(block);
      }
    }
    return list;
  }

  const std::vector<uint32_t>& columns() const { return columns_; }
  const std::vector<uint32_t>& slashes() const { return slashes_; }

 private:
  float alpha(float of_settings) const {
    return tensors_.head_alpha == nullptr ? of_settings : tensors_.head_alpha[head_];
  }

  void add_group(int first) {
    std::vector<double> sums(columns_.size(), 0.0);
    int last_position = 0;
    for (int i = first; i < std::min(first + kGroupRows, tensors_.row_count); ++i) {
      if (rows_[i] >= shape_.q_len) continue;
      last_position = offset_ + rows_[i];
      const size_t place = static_cast<size_t>(head_) * tensors_.row_count + i;
      const std::vector<double> shares =
          shares_of(tensors_.row_masses + place * tensors_.pitch,
                    seen_blocks(last_position, shape_.pooled_keys), has_nan_);
      for (size_t b = 0; b < shares.size(); ++b) sums[b] += shares[b];
    }
    for (size_t b = 0; b < sums.size(); ++b) {
      const auto mass = static_cast<uint32_t>(sums[b] * kMassUnit / existing_);
      const size_t strip = b / settings_.strip_blocks;
      columns_[strip] += mass;
      if (mass > 0 && settings_.slashes) slashes_[last_position / kTileRows - strip] += mass;
    }
  }

  static std::vector<bool> smallest_set(const std::vector<uint32_t>& masses, float alpha) {
    const double total = std::accumulate(masses.begin(), masses.end(), 0.0);
    const double wanted =
        std::ceil(static_cast<double>(std::max(0.f, std::min(1.f, alpha))) * total);
    std::vector<int> order(masses.size());
    std::iota(order.begin(), order.end(), 0);
    order_by_mass(order, masses.data());
    std::vector<bool> kept(masses.size(), false);
    double taken = 0.0;
    for (const int strip : order) {
      if (taken >= wanted) break;
      kept[strip] = true;
      taken += masses[strip];
    }
    return kept;
  }

  const FilterTensors& tensors_;
  const int* rows_;
  const SelectionShape& shape_;
  const StripSettings& settings_;
  int head_;
  int offset_;  // keys before the first query
  int existing_ = 0;
  bool has_nan_ = false;
  std::vector<uint32_t> columns_;
  std::vector<uint32_t> slashes_;
  std::vector<bool> kept_columns_;
  std::vector<bool> kept_slashes_;
};

}  // namespace

void filter_strips(const FilterTensors& tensors, const int* rows, const SelectionShape& shape,
                   const StripSettings& settings, uint32_t* masses) {
  const int tiles = (shape.q_len + kTileRows - 1) / kTileRows;
  for (int head = 0; head < shape.num_heads; ++head) {
    const Strips strips(tensors, rows, shape, settings, head);
    for (int t = 0; t < tiles; ++t) {
      const std::vector<int> kept = strips.list(t);
      const size_t list = static_cast<size_t>(head) * tiles + t;
      std::copy(kept.begin(), kept.end(), tensors.blocks + list * tensors.max_blocks);
      tensors.counts[list] = static_cast<int32_t>(kept.size());
    }
    if (masses == nullptr) continue;
    uint32_t* columns = masses + static_cast<size_t>(head) * 2 * tensors.max_blocks;
    std::copy(strips.columns().begin(), strips.columns().end(), columns);
    std::copy(strips.slashes().begin(), strips.slashes().end(), columns + tensors.max_blocks);
  }
}

}  // namespace longview::reference
