// Runs every product on small hostile shapes against the oracle, without PyTorch, so that
// compute-sanitizer can watch it in seconds:
//   compute-sanitizer --tool memcheck longview_gemm_device_test
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <vector>

#include "common/stream.h"
#include "device_testing.h"
#include "gemm/api.h"
#include "gemm/fp8/api.h"
#include "reference/fp8.h"
#include "reference/gemm.h"

using longview::DeviceBuffer;
using longview::Stream;
using longview::gemm::Epilogue;
using longview::gemm::Fp8Gemm;
using longview::gemm::Fp8GemmParams;
using longview::gemm::Gemm;
using longview::gemm::GemmKernel;
using longview::gemm::GemmParams;
using longview::gemm::kSwigluRowBlock;
using longview::gemm::QuantizeParams;
using longview::reference::GemmEpilogue;
using longview::testing::kNan;
using longview::testing::on_device;
using longview::testing::on_host;
using longview::testing::random_bf16;
using longview::testing::to_floats;

namespace {

/// Of the largest output: bf16 rounds at 2^-9, and Hopper's sums of e4m3 keep 14 bits.
constexpr float kTolerance = 0.01f;

struct Shape {
  int tokens;
  int in_features;
  int out_features;
};

int output_columns(const Shape& shape, Epilogue epilogue) {
  return epilogue == Epilogue::kSwiglu ? shape.out_features / 2 : shape.out_features;
}

/// What both products of one case start from.
struct Inputs {
  Inputs(const Shape& shape, Epilogue epilogue)
      : activations(random_bf16(size_t{1} * shape.tokens * shape.in_features, 1)),
        weights(random_bf16(size_t{1} * shape.out_features * shape.in_features, 2)),
        bias(to_floats(random_bf16(shape.out_features, 3))),
        residual(random_bf16(size_t{1} * shape.tokens * output_columns(shape, epilogue), 4)) {}

  std::vector<uint16_t> activations;
  std::vector<uint16_t> weights;
  std::vector<float> bias;
  std::vector<uint16_t> residual;
};

/// The members that parameters of both types share; `output` takes the place of the residual.
template <class Params>
Params params_of(const Shape& shape, Epilogue epilogue, const DeviceBuffer<float>& bias,
                 const DeviceBuffer<uint16_t>& output) {
  Params params{};
  params.output = output.data();
  params.bias = epilogue == Epilogue::kBias ? bias.data() : nullptr;
  params.residual = epilogue == Epilogue::kResidual ? output.data() : nullptr;
  params.epilogue = epilogue;
  params.tokens = shape.tokens;
  params.in_features = shape.in_features;
  params.out_features = shape.out_features;
  return params;
}

/// With kResidual the residual, else NaN: what is not written shows.
DeviceBuffer<uint16_t> prepared_output(const Inputs& inputs, Epilogue epilogue) {
  const bool is_residual = epilogue == Epilogue::kResidual;
  return on_device(is_residual ? inputs.residual
                               : std::vector<uint16_t>(inputs.residual.size(), kNan));
}

/// The largest difference to the oracle, over the oracle's largest value.
float error_of(const Shape& shape, Epilogue epilogue, const std::vector<float>& activations,
               const std::vector<float>& weights, const Inputs& inputs,
               const DeviceBuffer<uint16_t>& output) {
  const std::vector<float> residual = to_floats(inputs.residual);
  std::vector<float> expected(residual.size());
  longview::reference::gemm({activations.data(), weights.data(), expected.data(),
                             inputs.bias.data(), residual.data(),
                             static_cast<GemmEpilogue>(epilogue), shape.tokens, shape.in_features,
                             shape.out_features, kSwigluRowBlock});
  const std::vector<float> ours = to_floats(on_host(output));
  float error = 0;
  float largest = 0;
  for (size_t i = 0; i < ours.size(); ++i) {
    const float difference = std::abs(ours[i] - expected[i]);
    error = std::isnan(difference) ? INFINITY : std::max(error, difference);
    largest = std::max(largest, std::abs(expected[i]));
  }
  return error / largest;
}

float bf16_error(const Gemm& gemm, const Shape& shape, Epilogue epilogue) {
  const Stream stream;
  const Inputs inputs(shape, epilogue);
  const auto activations = on_device(inputs.activations);
  const auto weights = on_device(inputs.weights);
  const auto bias = on_device(inputs.bias);
  const auto output = prepared_output(inputs, epilogue);
  auto params = params_of<GemmParams>(shape, epilogue, bias, output);
  params.activations = activations.data();
  params.weights = weights.data();
  gemm.run(params, stream.get());
  stream.synchronize();
  return error_of(shape, epilogue, to_floats(inputs.activations), to_floats(inputs.weights), inputs,
                  output);
}

struct Rounded {
  DeviceBuffer<uint8_t> data;
  DeviceBuffer<float> scales;

  std::vector<float> values() const {
    std::vector<float> floats;
    const std::vector<uint8_t> bits = on_host(data);
    const std::vector<float> factors = on_host(scales);
    const size_t features = bits.size() / factors.size();
    for (size_t i = 0; i < bits.size(); ++i) {
      floats.push_back(longview::reference::e4m3_to_float(bits[i]) * factors[i / features]);
    }
    return floats;
  }
};

Rounded rounded(const Fp8Gemm& gemm, const std::vector<uint16_t>& rows, int features,
                const Stream& stream) {
  const auto input = on_device(rows);
  const int count = static_cast<int>(rows.size()) / features;
  Rounded result{DeviceBuffer<uint8_t>(rows.size()), DeviceBuffer<float>(count)};
  QuantizeParams params{};
  params.input = input.data();
  params.output = result.data.data();
  params.scales = result.scales.data();
  params.rows = count;
  params.features = features;
  gemm.quantize(params, stream.get());
  stream.synchronize();
  return result;
}

float fp8_error(const Fp8Gemm& gemm, const Shape& shape, Epilogue epilogue) {
  const Stream stream;
  const Inputs inputs(shape, epilogue);
  const Rounded activations = rounded(gemm, inputs.activations, shape.in_features, stream);
  const Rounded weights = rounded(gemm, inputs.weights, shape.in_features, stream);
  const auto bias = on_device(inputs.bias);
  const auto output = prepared_output(inputs, epilogue);
  auto params = params_of<Fp8GemmParams>(shape, epilogue, bias, output);
  params.activations = activations.data.data();
  params.activation_scales = activations.scales.data();
  params.weights = weights.data.data();
  params.weight_scales = weights.scales.data();
  gemm.run(params, stream.get());
  stream.synchronize();
  return error_of(shape, epilogue, activations.values(), weights.values(), inputs, output);
}

/// Between them, the shapes reach every configuration of the sm_90a kernel.
constexpr Shape kShapes[] = {{1, 64, 128}, {130, 192, 384}, {257, 576, 256}, {20, 8192, 384}};

template <class Product, class Error>
int failures_of(const char* name, Error error_of_case) {
  int failures = 0;
  for (const GemmKernel kernel : {GemmKernel::kFastest, GemmKernel::kPortable}) {
    const Product product(kernel);
    for (const Shape& shape : kShapes) {
      for (const Epilogue epilogue :
           {Epilogue::kNone, Epilogue::kBias, Epilogue::kResidual, Epilogue::kSwiglu}) {
        const float error = error_of_case(product, shape, epilogue);
        if (error <= kTolerance) continue;
        ++failures;
        std::printf("%s, kernel %d, epilogue %d, %d x %d x %d: error %g\n", name,
                    static_cast<int>(kernel), static_cast<int>(epilogue), shape.tokens,
                    shape.in_features, shape.out_features, error);
      }
    }
  }
  return failures;
}

}  // namespace

int main() {
  try {
    int failures = failures_of<Gemm>("bf16", bf16_error);
    if (Fp8Gemm::is_available()) failures += failures_of<Fp8Gemm>("fp8", fp8_error);
    std::printf("%d failed\n", failures);
    return failures == 0 ? 0 : 1;
  } catch (const std::exception& error) {
    std::printf("%s\n", error.what());
    return 1;
  }
}
