// Runs the layers of decode steps in the persistent kernel, at small hostile shapes, beside the
// chain of kernels that other devices take and the oracle; without PyTorch, so that
// compute-sanitizer can watch it:
//   compute-sanitizer --tool memcheck longview_persistent_device_test
// Wants a Hopper GPU; elsewhere there is no persistent kernel, and nothing to test.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <exception>
#include <string>
#include <vector>

#include "attention/decode/api.h"
#include "common/device.h"
#include "common/stream.h"
#include "decoder/ops/gemv/api.h"
#include "decoder/persistent/api.h"
#include "gemm/params.h"
#include "persistent_model.h"

namespace longview {
namespace {

using namespace decoder;
using namespace testing;

/// The model on the device, with what a step works in; everything is as at first for each.
class DeviceModel {
 public:
  explicit DeviceModel(const Model& model)
      : model_(model),
        table_(on_device(model.table())),
        length_(
            on_device(std::vector<int32_t>{model.shape().position, model.shape().position + 1})),
        cos_(on_device(model.angles(std::cos))),
        sin_(on_device(model.angles(std::sin))),
        hidden_(on_device(model.hidden())),
        query_(on_device(std::vector<uint16_t>(model.shape().query_size(), kNan))),
        attended_(on_device(std::vector<uint16_t>(model.shape().query_size(), kNan))),
        activation_(on_device(std::vector<uint16_t>(model.shape().feed_forward, kNan))),
        attention_workspace_(attention::decode_workspace_bytes(decode_shape())),
        workspace_(on_device(std::vector<uint8_t>(
            persistent_workspace_bytes(shape().hidden, shape().feed_forward, shape().heads,
                                       shape().kv_heads, shape().head_dim)))) {
    for (const Layer& layer : model.layers()) layers_.emplace_back(layer);
  }

  bool fits() const { return fits_persistent(params(), shape().position + 1); }

  /// The step, for the `times`-th time.
  Result persistent(int times) {
    for (int i = 0; i < times; ++i) {
      hidden_ = on_device(model_.hidden());
      persistent_layers(params(), stream_.get());
      stream_.synchronize();
    }
    return result();
  }

  Result chain() const {
    for (const DeviceLayer& layer : layers_) {
      attend(layer);
      multiply(layer.output, attended_, shape().query_size());
      activate(layer);
      multiply(layer.down, activation_, shape().feed_forward);
    }
    return result();
  }

 private:
  struct DeviceLayer {
    explicit DeviceLayer(const Layer& layer)
        : qkv(on_device(layer.qkv)),
          output(on_device(layer.output)),
          gate_up(on_device(layer.gate_up)),
          down(on_device(layer.down)),
          attention_norm(on_device(layer.attention_norm)),
          feed_forward_norm(on_device(layer.feed_forward_norm)),
          bias(on_device(layer.bias)),
          keys(on_device(layer.keys)),
          values(on_device(layer.values)) {}

    DeviceBuffer<uint16_t> qkv, output, gate_up, down;
    DeviceBuffer<float> attention_norm, feed_forward_norm, bias;
    DeviceBuffer<uint16_t> keys, values;
  };

  const Shape& shape() const { return model_.shape(); }

  attention::DecodeShape decode_shape() const {
    return {shape().position + 1, shape().heads, shape().kv_heads, shape().head_dim};
  }

  RopeKvParams rope(const DeviceLayer& layer) const {
    RopeKvParams rope{};
    rope.query = query_.data();
    rope.key_pool = layer.keys.data();
    rope.value_pool = layer.values.data();
    rope.block_table = table_.data();
    rope.first_position = length_.data();
    rope.cos = cos_.data();
    rope.sin = sin_.data();
    rope.pairs = shape().pairs;
    rope.tokens = 1;
    rope.num_heads = shape().heads;
    rope.num_kv_heads = shape().kv_heads;
    rope.head_dim = shape().head_dim;
    return rope;
  }

  PersistentParams params() const {
    PersistentParams params{};
    for (size_t i = 0; i < layers_.size(); ++i) {
      const DeviceLayer& layer = layers_[i];
      const auto place = [&](Phase phase, const DeviceBuffer<uint16_t>& matrix) {
        params.layers[i].matrices[static_cast<int>(phase)] =
            reinterpret_cast<const uint8_t*>(matrix.data());
      };
      place(Phase::kQkv, layer.qkv);
      place(Phase::kOutput, layer.output);
      place(Phase::kGateUp, layer.gate_up);
      place(Phase::kDown, layer.down);
      params.layers[i].attention_norm = layer.attention_norm.data();
      params.layers[i].feed_forward_norm = layer.feed_forward_norm.data();
      params.layers[i].qkv_bias = shape().has_bias ? layer.bias.data() : nullptr;
      params.layers[i].key_pool = layer.keys.data();
      params.layers[i].value_pool = layer.values.data();
    }
    params.layer_count = shape().layers;
    params.hidden_size = shape().hidden;
    params.feed_forward_size = shape().feed_forward;
    params.norm_epsilon = kEpsilon;
    params.softmax_scale = model_.softmax_scale();
    params.rope = rope(layers_.front());
    params.hidden = hidden_.data();
    params.workspace = workspace_.data();
    shape_products(params);
    return params;
  }

  quant::WeightMatrix matrix(const DeviceBuffer<uint16_t>& data, int columns) const {
    quant::WeightMatrix matrix{};
    matrix.data = data.data();
    matrix.rows = static_cast<int>(data.count() / columns);
    matrix.columns = columns;
    matrix.format = quant::BlockFormat::kBf16;
    return matrix;
  }

  void attend(const DeviceLayer& layer) const {
    QkvGemvParams project{};
    project.weight = matrix(layer.qkv, shape().hidden);
    project.input = {hidden_.data(), layer.attention_norm.data(), kEpsilon};
    project.bias = shape().has_bias ? layer.bias.data() : nullptr;
    project.rope = rope(layer);
    qkv_gemv(project, stream_.get());
    attention::DecodeParams decode{};
    decode.query = query_.data();
    decode.key = layer.keys.data();
    decode.value = layer.values.data();
    decode.block_table = table_.data();
    decode.kv_len = length_.data() + 1;
    decode.workspace = attention_workspace_.data();
    decode.output = attended_.data();
    decode.shape = decode_shape();
    decode.softmax_scale = model_.softmax_scale();
    attention::flash_decode(decode, stream_.get());
  }

  void activate(const DeviceLayer& layer) const {
    constexpr int kBlock = gemm::kSwigluRowBlock;
    SwigluGemvParams params{};
    params.gate = params.up = matrix(layer.gate_up, shape().hidden);
    params.gate_rows = {kBlock, 2 * kBlock, 0};
    params.up_rows = {kBlock, 2 * kBlock, kBlock};
    params.input = {hidden_.data(), layer.feed_forward_norm.data(), kEpsilon};
    params.output = activation_.data();
    params.features = shape().feed_forward;
    swiglu_gemv(params, stream_.get());
  }

  void multiply(const DeviceBuffer<uint16_t>& weight, const DeviceBuffer<uint16_t>& input,
                int columns) const {
    GemvParams params{};
    params.weight = matrix(weight, columns);
    params.input.values = input.data();
    params.residual = params.output = hidden_.data();
    params.output_type = GemvOutput::kBf16;
    gemv(params, stream_.get());
  }

  Result result() const {
    stream_.synchronize();
    Result result = to_floats(on_host(hidden_));
    const size_t at = size_t{1} * model_.row_of(shape().position) * shape().kv_size();
    for (const DeviceLayer& layer : layers_) {
      for (const auto* pool : {&layer.keys, &layer.values}) {
        const std::vector<float> all = to_floats(on_host(*pool));
        result.insert(result.end(), &all[at], &all[at] + shape().kv_size());
      }
    }
    return result;
  }

  const Model& model_;
  Stream stream_;
  DeviceBuffer<int32_t> table_;
  DeviceBuffer<int32_t> length_;  // before the step, and with its token
  DeviceBuffer<float> cos_;
  DeviceBuffer<float> sin_;
  DeviceBuffer<uint16_t> hidden_;
  DeviceBuffer<uint16_t> query_;
  DeviceBuffer<uint16_t> attended_;
  DeviceBuffer<uint16_t> activation_;
  DeviceBuffer<uint8_t> attention_workspace_;
  DeviceBuffer<uint8_t> workspace_;  // of the persistent kernel
  std::vector<DeviceLayer> layers_;
};

/// Root mean square of the difference; NaN where either has one.
double error_of(const Result& result, const Result& expected) {
  double squares = 0.0;
  for (size_t i = 0; i < result.size(); ++i) squares += std::pow(result[i] - expected[i], 2.0);
  return std::sqrt(squares / result.size());
}

bool passes(const Shape& shape) {
  const Model model(shape);
  if (!DeviceModel(model).fits()) {
    std::printf("FAIL %s: the persistent kernel does not take it\n", shape.name);
    return false;
  }
  const Result expected = model.expected();
  const Result result = DeviceModel(model).persistent(1);
  const double error = error_of(result, expected);
  const double chain_error = error_of(DeviceModel(model).chain(), expected);
  const bool repeats = DeviceModel(model).persistent(3) == result;
  const bool is_right = error <= 2.0 * chain_error && repeats;
  std::printf("%s %s: error %.5f, chain of kernels %.5f%s\n", is_right ? "ok  " : "FAIL",
              shape.name, error, chain_error, repeats ? "" : "; other bits the third time");
  return is_right;
}

// Columns that leave warps idle, rows that leave blocks idle, no cached key, splits of one slice,
// keys that end within a slice, many KV heads.
const Shape kShapes[] = {
    {"first token", 2, 256, 512, 4, 2, 64, 0, RopePairs::kHalves, true},
    {"second token, interleaved", 2, 256, 512, 4, 2, 64, 1, RopePairs::kInterleaved, false},
    {"one KV head, two KV blocks", 2, 128, 384, 2, 1, 64, 700, RopePairs::kHalves, true},
    {"odd steps, no groups", 2, 592, 1264, 8, 8, 64, 639, RopePairs::kHalves, false},
    {"eight heads of a group", 1, 1024, 1040, 8, 1, 128, 1280, RopePairs::kInterleaved, true},
    {"0.5B", 1, 896, 4864, 14, 2, 64, 2111, RopePairs::kHalves, true},
    {"1.5B", 2, 1536, 8960, 12, 2, 128, 1303, RopePairs::kHalves, true},
};

int run(const std::string& only) {
  if (longview::device_attribute(cudaDevAttrComputeCapabilityMajor) != 9) {
    std::printf("no Hopper GPU: no persistent kernel\n");
    return 0;
  }
  int failed = 0;
  for (const Shape& shape : kShapes) {
    if (std::string(shape.name).find(only) != std::string::npos && !passes(shape)) ++failed;
  }
  return failed == 0 ? 0 : 1;
}

}  // namespace
}  // namespace longview

int main(int count, char** arguments) {
  try {
    return longview::run(count > 1 ? arguments[1] : "");
  } catch (const std::exception& failure) {
    std::fprintf(stderr, "%s\n", failure.what());
    return 1;
  }
}
