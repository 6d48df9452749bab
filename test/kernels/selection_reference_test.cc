// Checks the CPU oracle of block selection on cases whose answer is known
// without computing it.
#include <cmath>
#include <cstdio>
#include <initializer_list>
#include <vector>

#include "reference/rounding.h"
#include "reference/selection.h"

using longview::reference::FilterTensors;
using longview::reference::SelectionShape;
using longview::reference::StripSettings;
using longview::reference::TileSettings;

namespace {

constexpr int kBlocks = 32;
constexpr int kKeys = 64 * kBlocks;
constexpr int kRows = 16;
constexpr int kNever = 1 << 30;

int failures = 0;

void expect(bool holds, const char *what) {
  if (holds)
    return;
  std::printf("FAIL  %s\n", what);
  ++failures;
}

TileSettings settings() { return {kRows, 0, 0.8f, 0, 1, 256, 0, 0, 1.f}; }

/// The last tile of 2048 keys: blocks 0, 26 to 29 (window), 30 and 31 are
/// forced.
SelectionShape last_tile() { return {128, kKeys, 1, 1, 4, 1.f, 8, kNever}; }

using List = std::vector<int>;

/// The list when every row has the same masses.
List list_of(const std::vector<float> &row, const TileSettings &settings,
             SelectionShape shape = last_tile()) {
  std::vector<float> masses;
  for (int i = 0; i < kRows; ++i)
    masses.insert(masses.end(), row.begin(), row.end());
  std::vector<uint16_t> blocks(kBlocks);
  int count = 0;
  const FilterTensors tensors{masses.data(), kRows,  kBlocks, nullptr,
                              blocks.data(), &count, kBlocks};
  longview::reference::filter_tiles(tensors, shape, settings, nullptr);
  return List(blocks.begin(), blocks.begin() + count);
}

List with_forced(std::initializer_list<int> others) {
  List list{0};
  list.insert(list.end(), others);
  for (int block = 26; block < kBlocks; ++block)
    list.push_back(block);
  return list;
}

std::vector<float> equal_masses() { return std::vector<float>(kBlocks, 3.f); }

void test_equal_masses_go_by_number() {
  TileSettings a = settings();
  a.alpha = 0.19f; // of 25 candidates
  expect(list_of(equal_masses(), a) == with_forced({1, 2, 3, 4, 5}),
         "equal masses: the first fifth");
  a.count_forced_mass = 1;
  expect(list_of(equal_masses(), a) == with_forced({}),
         "equal masses: the forced ones hold 7 of 32 already");
}

void test_one_hot() {
  std::vector<float> row(kBlocks, 1e-6f);
  row[17] = 1.f;
  expect(list_of(row, settings()) == with_forced({17}),
         "one block holds everything");
}

void test_bounds() {
  TileSettings a = settings();
  std::vector<float> row(kBlocks, 1e-6f);
  row[17] = 1.f;
  a.min_blocks = 10;
  expect(list_of(row, a) == with_forced({1, 2, 17}),
         "at least ten, the rest by number");
  a = settings();
  a.max_blocks = 9;
  expect(list_of(equal_masses(), a) == with_forced({1, 2}), "at most nine");
  a.max_blocks = 3;
  expect(list_of(equal_masses(), a) == with_forced({}),
         "the forced ones are never dropped");
  a = settings();
  a.dense_above = 0.5f;
  expect(list_of(equal_masses(), a).size() == kBlocks, "falls back to dense");
}

void test_alpha_at_its_ends() {
  TileSettings a = settings();
  a.alpha = 1.f;
  expect(list_of(equal_masses(), a).size() == kBlocks, "alpha 1 keeps all");
  a.alpha = 0.f;
  expect(list_of(equal_masses(), a) == with_forced({}), "alpha 0 keeps none");
}

void test_not_a_number_keeps_everything() {
  std::vector<float> row = equal_masses();
  row[5] = NAN;
  expect(list_of(row, settings()).size() == kBlocks, "NaN keeps everything");
}

void test_dense_rows() {
  SelectionShape shape = last_tile();
  shape.dense_from = kKeys - 1;
  expect(list_of(equal_masses(), settings(), shape).size() == kBlocks,
         "the tile holds the first dense row");
  shape.dense_from = kKeys;
  expect(list_of(equal_masses(), settings(), shape).size() < kBlocks,
         "the tile ends before the first dense row");
}

/// All scores are zero: a block's mass is that of its visible averages.
void test_equal_scores() {
  const SelectionShape shape{128, 128, 1, 1, 4, 1.f, 8, kNever};
  const std::vector<float> query(128 * 4, 0.f);
  const std::vector<float> key(128 * 4, 1.f);
  std::vector<float> masses(kRows * 2, NAN);
  std::vector<int> rows;
  for (int i = 0; i < kRows; ++i)
    rows.push_back(8 * i + 7);
  longview::reference::sampled_masses(
      {query.data(), key.data(), rows.data(), kRows, masses.data(), shape});
  const auto averages = [](int count) {
    return std::ldexp(static_cast<float>(count), -60);
  };
  expect(masses[0] == averages(1), "row 7 sees one average");
  expect(masses[1] == 0.f, "row 7 sees nothing of block 1");
  expect(masses[2 * 7] == averages(8), "row 63 sees eight averages");
  expect(masses[2 * 15 + 1] == averages(8), "row 127 sees block 1");
  expect(masses[2 * 9 + 1] == averages(2),
         "row 79 sees two averages of block 1");
}

/// One group of 64 rows at the end of 2048 positions, of which the last 256
/// are the call's: two tiles.
List strips_of_last_tile(const std::vector<float> &row,
                         const StripSettings &settings, int tile) {
  constexpr int kGroup = 64;
  const SelectionShape shape{256, kKeys, 1, 1, 4, 1.f, 8, kNever};
  std::vector<float> masses;
  std::vector<int> rows;
  for (int i = 0; i < kGroup; ++i) {
    masses.insert(masses.end(), row.begin(), row.end());
    rows.push_back(256 - kGroup + i);
  }
  std::vector<uint16_t> blocks(2 * kBlocks);
  std::vector<int> counts(2);
  const FilterTensors tensors{masses.data(), kGroup,        kBlocks, nullptr,
                              blocks.data(), counts.data(), kBlocks};
  longview::reference::filter_strips(tensors, rows.data(), shape, settings,
                                     nullptr);
  const auto first = blocks.begin() + tile * kBlocks;
  return List(first, first + counts[tile]);
}

/// All mass in block 12, seen from tile 15: column 6, slash 9.
void test_strips() {
  std::vector<float> row(kBlocks, 0.f);
  row[12] = 1.f;
  const StripSettings both{2, 1, 0.9f, 0.9f, 1, 0};
  const StripSettings columns{1, 0, 0.9f, 0.9f, 1, 128};
  expect(strips_of_last_tile(row, both, 1) == List{0, 12, 13, 30, 31},
         "the column and the slash meet in the sampled tile");
  expect(strips_of_last_tile(row, both, 0) == List{0, 10, 11, 12, 13, 28, 29},
         "a tile before, the slash is a tile before");
  expect(strips_of_last_tile(row, columns, 0) == List{0, 12, 26, 27, 28, 29},
         "a column of one block, and a window");
  row[3] = NAN;
  expect(strips_of_last_tile(row, both, 0).size() == 30,
         "NaN keeps everything");
}

void test_rounding() {
  using longview::reference::round_to_bf16;
  expect(round_to_bf16(1.0 + 1.0 / 256) == 1.f &&
             round_to_bf16(1.0 + 3.0 / 256) == 1.f + 1.f / 64,
         "ties to even");
  expect(round_to_bf16(0x1p128) == INFINITY &&
             round_to_bf16(-0x1p128) == -INFINITY,
         "beyond bf16");
  expect(round_to_bf16(0x1.8p-133) == 0x1p-132f, "subnormal");
}

} // namespace

int main() {
  test_equal_masses_go_by_number();
  test_one_hot();
  test_bounds();
  test_alpha_at_its_ends();
  test_not_a_number_keeps_everything();
  test_dense_rows();
  test_equal_scores();
  test_strips();
  test_rounding();
  std::printf("%d failures\n", failures);
  return failures == 0 ? 0 : 1;
}
