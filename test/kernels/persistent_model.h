// A random model for tests of decode steps, and what its layers leave, by the
// oracles.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <numeric>
#include <vector>

#include "common/kv_block.h"
#include "decoder/ops/rope/params.h"
#include "device_testing.h"
#include "gemm/params.h"
#include "reference/attention.h"
#include "reference/ops.h"

namespace longview::testing {

using decoder::RopePairs;

constexpr float kEpsilon = 1e-6f;

struct Shape {
  const char* name;
  int layers;
  int hidden;
  int feed_forward;
  int heads;
  int kv_heads;
  int head_dim;
  int position;
  RopePairs pairs;
  bool has_bias;

  int query_size() const { return heads * head_dim; }
  int kv_size() const { return kv_heads * head_dim; }
  int qkv_size() const { return query_size() + 2 * kv_size(); }
};

struct Layer {
  Layer(const Shape& shape, int rows, uint32_t seed)
      : qkv(scaled(shape.qkv_size(), shape.hidden, seed)),
        output(scaled(shape.hidden, shape.query_size(), seed + 1)),
        gate_up(scaled(2 * shape.feed_forward, shape.hidden, seed + 2)),
        down(scaled(shape.hidden, shape.feed_forward, seed + 3)),
        attention_norm(to_floats(random_bf16(shape.hidden, seed + 4))),
        feed_forward_norm(to_floats(random_bf16(shape.hidden, seed + 5))),
        bias(to_floats(random_bf16(shape.qkv_size(), seed + 6))),
        keys(random_bf16(size_t{1} * rows * shape.kv_size(), seed + 7)),
        values(random_bf16(size_t{1} * rows * shape.kv_size(), seed + 8)) {}

  /// A matrix that keeps the size of what it multiplies.
  static std::vector<uint16_t> scaled(int rows, int columns, uint32_t seed) {
    return random_bf16(size_t{1} * rows * columns, seed, 1.7f / std::sqrt(float(columns)));
  }

  std::vector<uint16_t> qkv, output, gate_up, down;
  std::vector<float> attention_norm, feed_forward_norm, bias;
  std::vector<uint16_t> keys, values;
};

/// What a step leaves: the residual stream, then the step's own K and V of each layer.
using Result = std::vector<float>;

class Model {
 public:
  explicit Model(const Shape& shape)
      : shape_(shape),
        table_(kv_blocks(shape.position + 1)),
        hidden_(random_bf16(shape.hidden, 1)) {
    // Blocks lie in the pool in reverse, behind one that is nobody's.
    std::iota(table_.rbegin(), table_.rend(), 1);
    rows_ = static_cast<int>(table_.size() + 1) * KV_BLOCK_TOKENS;
    for (int i = 0; i < shape.layers; ++i) layers_.emplace_back(shape, rows_, 10 * i + 2);
    for (Layer& layer : layers_) poison(layer);
    for (int i = 0; i < shape.head_dim / 2; ++i)
      radians_.push_back(std::pow(1e-4, 2.0 * i / shape.head_dim));
  }

  const Shape& shape() const { return shape_; }
  const std::vector<Layer>& layers() const { return layers_; }
  const std::vector<int32_t>& table() const { return table_; }
  const std::vector<uint16_t>& hidden() const { return hidden_; }
  int row_of(int token) const {
    return table_[token / KV_BLOCK_TOKENS] * KV_BLOCK_TOKENS + token % KV_BLOCK_TOKENS;
  }
  float softmax_scale() const { return 1.f / std::sqrt(float(shape_.head_dim)); }

  /// cos or sin of every position; only the step's own may be read.
  std::vector<float> angles(double (*function)(double)) const {
    const size_t pairs = radians_.size();
    std::vector<float> values((shape_.position + 1) * pairs, NAN);
    for (size_t i = 0; i < pairs; ++i) {
      values[shape_.position * pairs + i] =
          static_cast<float>(function(shape_.position * radians_[i]));
    }
    return values;
  }

  Result expected() const {
    std::vector<float> hidden = to_floats(hidden_);
    Result own;
    for (const Layer& layer : layers_) {
      hidden = with_attention(layer, hidden, own);
      hidden = with_feed_forward(layer, hidden);
    }
    hidden.insert(hidden.end(), own.begin(), own.end());
    return hidden;
  }

 private:
  /// Rows of the pool that hold no cached token hold NaN.
  void poison(Layer& layer) const {
    std::vector<bool> is_cached(rows_);
    for (int token = 0; token < shape_.position; ++token) is_cached[row_of(token)] = true;
    for (int row = 0; row < rows_; ++row) {
      if (is_cached[row]) continue;
      std::fill_n(&layer.keys[size_t{1} * row * shape_.kv_size()], shape_.kv_size(), kNan);
      std::fill_n(&layer.values[size_t{1} * row * shape_.kv_size()], shape_.kv_size(), kNan);
    }
  }

  static std::vector<float> product(const std::vector<uint16_t>& weight,
                                    const std::vector<float>& input, const float* bias,
                                    const float* residual) {
    std::vector<float> output(weight.size() / input.size());
    reference::matrix_vector(to_floats(weight).data(), input.data(), bias, residual, output.data(),
                             static_cast<int>(output.size()), static_cast<int>(input.size()));
    return output;
  }

  std::vector<float> normed(const std::vector<float>& hidden,
                            const std::vector<float>& norm) const {
    std::vector<float> output(hidden.size());
    reference::rms_norm(hidden.data(), norm.data(), output.data(), 1, shape_.hidden, kEpsilon);
    return output;
  }

  std::vector<float> with_attention(const Layer& layer, const std::vector<float>& hidden,
                                    Result& own) const {
    std::vector<float> qkv = product(layer.qkv, normed(hidden, layer.attention_norm),
                                     shape_.has_bias ? layer.bias.data() : nullptr, nullptr);
    for (int head = 0; head < shape_.heads + shape_.kv_heads; ++head) {
      reference::rotate_head(radians_.data(), 1.0, shape_.position,
                             shape_.pairs == RopePairs::kInterleaved, shape_.head_dim,
                             &qkv[head * shape_.head_dim]);
    }
    own.insert(own.end(), qkv.begin() + shape_.query_size(), qkv.end());
    std::vector<float> keys = to_floats(layer.keys);
    std::vector<float> values = to_floats(layer.values);
    const size_t own_at = size_t{1} * row_of(shape_.position) * shape_.kv_size();
    std::copy_n(&qkv[shape_.query_size()], shape_.kv_size(), &keys[own_at]);
    std::copy_n(&qkv[shape_.query_size() + shape_.kv_size()], shape_.kv_size(), &values[own_at]);
    std::vector<float> attended(shape_.query_size());
    reference::dense_causal_attention({qkv.data(), keys.data(), values.data(), attended.data(), 1,
                                       shape_.position + 1, shape_.heads, shape_.kv_heads,
                                       shape_.head_dim, softmax_scale(), table_.data(),
                                       KV_BLOCK_TOKENS});
    return product(layer.output, attended, nullptr, hidden.data());
  }

  std::vector<float> with_feed_forward(const Layer& layer, const std::vector<float>& hidden) const {
    const std::vector<float> both =
        product(layer.gate_up, normed(hidden, layer.feed_forward_norm), nullptr, nullptr);
    std::vector<float> gate, up, activation(shape_.feed_forward);
    for (int row = 0; row < 2 * shape_.feed_forward; ++row) {
      (row / gemm::kSwigluRowBlock % 2 == 0 ? gate : up).push_back(both[row]);
    }
    reference::swiglu(gate.data(), up.data(), activation.data(), shape_.feed_forward);
    return product(layer.down, activation, nullptr, hidden.data());
  }

  Shape shape_;
  std::vector<int32_t> table_;
  std::vector<uint16_t> hidden_;
  int rows_ = 0;
  std::vector<Layer> layers_;
  std::vector<double> radians_;
};

}  // namespace longview::testing
