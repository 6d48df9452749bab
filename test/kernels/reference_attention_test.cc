// Checks the CPU oracle of attention on cases whose answer is known without
// computing it.
#include <cmath>
#include <cstdio>
#include <vector>

#include "reference/attention.h"

using longview::reference::dense_causal_attention;
using longview::reference::sparse_causal_attention;

namespace {

constexpr int kHeadDim = 4;
constexpr float kTolerance = 1e-6f;

struct Shape {
  int q_len;
  int kv_len;
  int num_heads;
  int num_kv_heads;
};

int failures = 0;

void expect_near(float actual, float expected, const char *what, int position,
                 int head) {
  if (std::abs(actual - expected) <= kTolerance)
    return;
  std::printf("%s: position %d, head %d: %g, not %g\n", what, position, head,
              actual, expected);
  ++failures;
}

/// V of key j in KV head h is j + 100 * h in every column, so an output says
/// whom it attended to.
std::vector<float> numbered_values(const Shape &shape) {
  std::vector<float> value;
  for (int j = 0; j < shape.kv_len; ++j) {
    for (int head = 0; head < shape.num_kv_heads; ++head) {
      value.insert(value.end(), kHeadDim, static_cast<float>(j + 100 * head));
    }
  }
  return value;
}

std::vector<float> attend(const Shape &shape, const std::vector<float> &query,
                          const std::vector<float> &key) {
  const std::vector<float> value = numbered_values(shape);
  std::vector<float> output(query.size(), NAN);
  dense_causal_attention({query.data(), key.data(), value.data(), output.data(),
                          shape.q_len, shape.kv_len, shape.num_heads,
                          shape.num_kv_heads, kHeadDim, 0.5f});
  return output;
}

/// Equal scores: the mean of what is visible, which ends at the query's own
/// position.
void test_equal_scores_give_the_causal_mean(const Shape &shape) {
  const std::vector<float> query(shape.q_len * shape.num_heads * kHeadDim, 0.f);
  const std::vector<float> key(shape.kv_len * shape.num_kv_heads * kHeadDim,
                               1.f);
  const std::vector<float> output = attend(shape, query, key);
  const int heads_per_kv_head = shape.num_heads / shape.num_kv_heads;
  for (int i = 0; i < shape.q_len; ++i) {
    const int last = shape.kv_len - shape.q_len + i;
    for (int head = 0; head < shape.num_heads; ++head) {
      const float expected = last / 2.f + 100.f * (head / heads_per_kv_head);
      expect_near(output[(i * shape.num_heads + head) * kHeadDim], expected,
                  "causal mean", i, head);
    }
  }
}

/// One key far above the rest, with scores that would overflow without the
/// maximum subtracted.
void test_a_dominant_key_is_copied() {
  const Shape shape{2, 5, 1, 1};
  const std::vector<float> query(shape.q_len * kHeadDim, 30.f);
  std::vector<float> key(shape.kv_len * kHeadDim, 0.f);
  constexpr int kDominant = 2;
  for (int d = 0; d < kHeadDim; ++d)
    key[kDominant * kHeadDim + d] = 30.f;
  const std::vector<float> output = attend(shape, query, key);
  for (int i = 0; i < shape.q_len; ++i) {
    expect_near(output[i * kHeadDim], kDominant, "dominant key", i, 0);
  }
}

/// Tokens 0 to 4 in blocks of two that lie in the order 2, 0, 1 of the pool;
/// the row that holds no token is NaN.
void test_a_block_table_is_followed() {
  const Shape shape{1, 5, 1, 1};
  const int block_table[] = {2, 0, 1};
  const float tokens_of_rows[] = {2, 3, 4, NAN, 0, 1};
  std::vector<float> value;
  for (const float token : tokens_of_rows)
    value.insert(value.end(), kHeadDim, token * token);
  const std::vector<float> query(kHeadDim, 0.f);
  const std::vector<float> key(value.size(), 1.f);
  std::vector<float> output(kHeadDim, NAN);
  dense_causal_attention({query.data(), key.data(), value.data(), output.data(),
                          shape.q_len, shape.kv_len, 1, 1, kHeadDim, 0.5f,
                          block_table, 2});
  expect_near(output[0], (0 + 1 + 4 + 9 + 16) / 5.f, "block table", 0, 0);
}

/// Equal scores over blocks of two keys and tiles of three rows: the mean of
/// the listed keys that are visible.
void test_only_listed_blocks_count() {
  const Shape shape{5, 8, 2, 1};                           // positions 3 to 7
  const uint16_t blocks[] = {0, 1, 2,  99, 3, 99, 99, 99,  // head 0
                             1, 2, 99, 99, 0, 3,  99, 99}; // head 1
  const int32_t counts[] = {3, 1, 2, 2};
  const float expected[][2] = {{1.5f, 2.5f},      // keys 0 to 3 and 2, 3
                               {2.f, 3.f},        // 0 to 4 and 2 to 4
                               {2.5f, 3.5f},      // 0 to 5 and 2 to 5
                               {6.f, 7.f / 3},    // 6 and 0, 1, 6
                               {6.5f, 14.f / 4}}; // 6, 7 and 0, 1, 6, 7
  const std::vector<float> query(shape.q_len * shape.num_heads * kHeadDim, 0.f);
  const std::vector<float> key(shape.kv_len * kHeadDim, 1.f);
  const std::vector<float> value = numbered_values(shape);
  std::vector<float> output(query.size(), NAN);
  sparse_causal_attention({query.data(), key.data(), value.data(),
                           output.data(), shape.q_len, shape.kv_len,
                           shape.num_heads, shape.num_kv_heads, kHeadDim, 0.5f},
                          {blocks, counts, 2, 4, 3, 2});
  for (int i = 0; i < shape.q_len; ++i) {
    for (int head = 0; head < shape.num_heads; ++head) {
      expect_near(output[(i * shape.num_heads + head) * kHeadDim],
                  expected[i][head], "listed blocks", i, head);
    }
  }
}

/// One tile of two rows behind two blocks of two keys, of which it lists none:
/// each counts twice as its mean, whose score is that of its mean key.
void test_dropped_blocks_count_as_averages() {
  const Shape shape{2, 6, 1, 1};
  const uint16_t blocks[] = {2};
  const int32_t counts[] = {1};
  const std::vector<float> query(shape.q_len * kHeadDim, 1.f);
  std::vector<float> key(shape.kv_len * kHeadDim, 0.f);
  for (int d = 0; d < kHeadDim; ++d) {
    key[d] = 1.f; // keys 0 and 1: scores 2 and 0 with a scale of 0.5, mean 1
  }
  const std::vector<float> value = numbered_values(shape);
  std::vector<float> output(query.size(), NAN);
  sparse_causal_attention({query.data(), key.data(), value.data(),
                           output.data(), shape.q_len, shape.kv_len,
                           shape.num_heads, shape.num_kv_heads, kHeadDim, 0.5f},
                          {blocks, counts, 1, 1, 2, 2, 1});
  const float e = std::exp(1.f);
  expect_near(output[0], (2 * e * 0.5f + 2 * 2.5f + 4) / (2 * e + 2 + 1),
              "averages", 0, 0);
  expect_near(output[kHeadDim], (2 * e * 0.5f + 2 * 2.5f + 4 + 5) / (2 * e + 4),
              "averages", 1, 0);
}

} // namespace

int main() {
  test_equal_scores_give_the_causal_mean({1, 1, 1, 1});
  test_equal_scores_give_the_causal_mean({3, 3, 6, 2});
  test_equal_scores_give_the_causal_mean({1, 17, 7, 1});
  test_equal_scores_give_the_causal_mean({0, 4, 2, 1});
  test_a_dominant_key_is_copied();
  test_a_block_table_is_followed();
  test_only_listed_blocks_count();
  test_dropped_blocks_count_as_averages();
  std::printf(failures == 0 ? "oracle: ok\n" : "oracle: %d wrong\n", failures);
  return failures == 0 ? 0 : 1;
}
