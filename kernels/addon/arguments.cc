#include "addon/arguments.h"

#include <cmath>
#include <cstdint>
#include <string>

namespace longview::addon {

namespace {

[[noreturn]] void refuse(const Napi::Env& env, const std::string& what) {
  throw Napi::TypeError::New(env, what);
}

double number_of(const Napi::Object& object, const char* key) {
  const Napi::Value value = object.Get(key);
  if (!value.IsNumber()) refuse(object.Env(), std::string(key) + " is not a number");
  return value.As<Napi::Number>().DoubleValue();
}

int integer_of(const Napi::Object& object, const char* key) {
  const double value = number_of(object, key);
  if (value != std::floor(value) || std::abs(value) > INT32_MAX) {
    refuse(object.Env(), std::string(key) + " is not a whole number of 32 bits");
  }
  return static_cast<int>(value);
}

bool flag_of(const Napi::Object& object, const char* key) {
  const Napi::Value value = object.Get(key);
  if (!value.IsBoolean()) refuse(object.Env(), std::string(key) + " is neither true nor false");
  return value.As<Napi::Boolean>().Value();
}

std::string text_of(const Napi::Object& object, const char* key) {
  const Napi::Value value = object.Get(key);
  if (!value.IsString()) refuse(object.Env(), std::string(key) + " is not a text");
  return value.As<Napi::String>().Utf8Value();
}

decoder::RopeSpec rope_spec(const Napi::Object& spec) {
  decoder::RopeSpec rope{};
  rope.head_dim = integer_of(spec, "headDim");
  rope.base = number_of(spec, "ropeBase");
  if (spec.Get("ropeDivisors").IsArray()) {
    const Napi::Array divisors = spec.Get("ropeDivisors").As<Napi::Array>();
    for (uint32_t i = 0; i < divisors.Length(); ++i) {
      rope.frequency_divisors.push_back(divisors.Get(i).ToNumber().FloatValue());
    }
  }
  if (!spec.Get("yarn").IsObject()) return rope;
  const Napi::Object yarn = spec.Get("yarn").As<Napi::Object>();
  rope.scaling = decoder::RopeScaling::kYarn;
  rope.factor = number_of(yarn, "factor");
  rope.original_context_tokens = integer_of(yarn, "originalContextTokens");
  rope.beta_fast = number_of(yarn, "betaFast");
  rope.beta_slow = number_of(yarn, "betaSlow");
  rope.attention_factor = number_of(yarn, "attentionFactor");
  return rope;
}

attention::SelectionStrategy strategy_of(const Napi::Object& selection) {
  const std::string name = text_of(selection, "strategy");
  if (name == "tiles") return attention::SelectionStrategy::kTiles;
  if (name == "strips") return attention::SelectionStrategy::kStrips;
  if (name == "columns") return attention::SelectionStrategy::kColumns;
  refuse(selection.Env(), "there is no strategy \"" + name + "\"");
}

attention::BlockScore score_of(const Napi::Object& selection) {
  const std::string name = text_of(selection, "score");
  if (name == "mean") return attention::BlockScore::kMean;
  if (name == "maximum") return attention::BlockScore::kMaximum;
  refuse(selection.Env(), "there is no score \"" + name + "\"");
}

std::vector<float> head_alpha_of(const Napi::Object& selection) {
  const Napi::Value value = selection.Get("headAlpha");
  if (value.IsUndefined()) return {};
  if (!value.IsArray()) refuse(selection.Env(), "headAlpha is not a list");
  const Napi::Array list = value.As<Napi::Array>();
  std::vector<float> alphas(list.Length());
  for (uint32_t i = 0; i < list.Length(); ++i) {
    const Napi::Value alpha = list.Get(i);
    if (!alpha.IsNumber()) refuse(selection.Env(), "headAlpha has an entry that is not a number");
    alphas[i] = alpha.As<Napi::Number>().FloatValue();
  }
  return alphas;
}

attention::SelectionSettings selection_settings(const Napi::Object& selection) {
  attention::SelectionSettings settings{};
  settings.strategy = strategy_of(selection);
  settings.pooled_keys = integer_of(selection, "pooledKeys");
  settings.alpha = static_cast<float>(number_of(selection, "alpha"));
  settings.count_forced_mass = flag_of(selection, "countForcedMass");
  settings.sink_blocks = integer_of(selection, "sinkBlocks");
  settings.window_tokens = integer_of(selection, "windowTokens");
  switch (settings.strategy) {
    case attention::SelectionStrategy::kTiles:
      settings.tiles.sampled_rows = integer_of(selection, "sampledRows");
      settings.tiles.score = score_of(selection);
      settings.min_blocks = integer_of(selection, "minBlocks");
      settings.max_blocks = integer_of(selection, "maxBlocks");
      settings.dense_above = static_cast<float>(number_of(selection, "denseAbove"));
      break;
    case attention::SelectionStrategy::kStrips:
      settings.strips.segment_tokens = integer_of(selection, "segmentTokens");
      settings.strips.alpha_slashes = static_cast<float>(number_of(selection, "alphaSlashes"));
      break;
    case attention::SelectionStrategy::kColumns:
      settings.columns.row_step = integer_of(selection, "rowStep");
      settings.columns.window_share = static_cast<float>(number_of(selection, "windowShare"));
      break;
  }
  return settings;
}

}  // namespace

decoder::ModelSpec model_spec(const Napi::Object& spec) {
  decoder::ModelSpec result{};
  result.layers = integer_of(spec, "layerCount");
  result.hidden_size = integer_of(spec, "hiddenSize");
  result.feed_forward_size = integer_of(spec, "feedForwardSize");
  result.num_heads = integer_of(spec, "headCount");
  result.num_kv_heads = integer_of(spec, "kvHeadCount");
  result.head_dim = integer_of(spec, "headDim");
  result.vocab_size = integer_of(spec, "vocabSize");
  result.trained_context_tokens = integer_of(spec, "trainedContextTokens");
  result.norm_epsilon = static_cast<float>(number_of(spec, "rmsNormEpsilon"));
  result.tied_head = flag_of(spec, "tiedEmbedding");
  result.qkv_bias = flag_of(spec, "qkvBias");
  result.qk_norm = flag_of(spec, "qkNorm");
  result.rope_pairs = flag_of(spec, "interleavedRope") ? decoder::RopePairs::kInterleaved
                                                       : decoder::RopePairs::kHalves;
  result.rope = rope_spec(spec);
  return result;
}

std::vector<decoder::TensorEntry> tensor_entries(const Napi::Array& tensors) {
  std::vector<decoder::TensorEntry> entries;
  entries.reserve(tensors.Length());
  for (uint32_t i = 0; i < tensors.Length(); ++i) {
    const Napi::Object tensor = tensors.Get(i).As<Napi::Object>();
    decoder::TensorEntry entry{};
    entry.name = text_of(tensor, "name");
    entry.format = static_cast<quant::BlockFormat>(integer_of(tensor, "format"));
    entry.rows = integer_of(tensor, "rows");
    entry.columns = integer_of(tensor, "columns");
    entry.offset_bytes = static_cast<uint64_t>(number_of(tensor, "offsetBytes"));
    entry.file = integer_of(tensor, "file");
    entries.push_back(std::move(entry));
  }
  return entries;
}

decoder::DecoderOptions decoder_options(const Napi::Object& request) {
  decoder::DecoderOptions options{};
  const Napi::Value paths = request.Get("paths");
  if (!paths.IsArray()) refuse(request.Env(), "paths is not a list");
  for (uint32_t i = 0; i < paths.As<Napi::Array>().Length(); ++i) {
    options.paths.push_back(paths.As<Napi::Array>().Get(i).ToString().Utf8Value());
  }
  options.context_tokens = integer_of(request, "contextTokens");
  options.chunk_tokens = integer_of(request, "chunkTokens");
  options.pooled_keys =
      request.Get("pooledKeys").IsUndefined() ? 0 : integer_of(request, "pooledKeys");
  if (request.Get("kernels").IsString() && text_of(request, "kernels") == "portable") {
    options.kernels = decoder::PrefillKernels::kPortable;
  }
  options.fp8_prefill = request.Get("prefillPrecision").IsString() &&
                        text_of(request, "prefillPrecision") == "fp8";
  if (request.Get("weights").IsUndefined()) return options;
  options.form = text_of(request, "weights") == "stored" ? decoder::WeightForm::kAsStored
                                                         : decoder::WeightForm::kBf16;
  return options;
}

decoder::SamplingRequest sampling_request(const Napi::Object& sampling) {
  decoder::SamplingRequest request{};
  request.temperature = number_of(sampling, "temperature");
  request.top_p = number_of(sampling, "topP");
  request.top_k = integer_of(sampling, "topK");
  request.seed = number_of(sampling, "seed");
  request.candidates = integer_of(sampling, "candidates");
  return request;
}

std::optional<decoder::SparseRequest> sparse_request(const Napi::Value& value) {
  if (value.IsUndefined()) return std::nullopt;
  if (!value.IsObject()) refuse(value.Env(), "the sparse prefill is not an object");
  const Napi::Object object = value.As<Napi::Object>();
  if (!object.Get("selection").IsObject()) refuse(value.Env(), "the selection is not an object");
  decoder::SparseRequest request{};
  request.settings = selection_settings(object.Get("selection").As<Napi::Object>());
  request.dense_from_token = integer_of(object, "denseFromToken");
  request.head_alpha = head_alpha_of(object.Get("selection").As<Napi::Object>());
  return request;
}

int32_t integer_argument(const Napi::CallbackInfo& info, size_t index) {
  if (!info[index].IsNumber()) {
    refuse(info.Env(), "argument " + std::to_string(index) + " is not a number");
  }
  return info[index].As<Napi::Number>().Int32Value();
}

std::vector<uint8_t> bytes_argument(const Napi::CallbackInfo& info, size_t index) {
  if (!info[index].IsTypedArray() ||
      info[index].As<Napi::TypedArray>().TypedArrayType() != napi_uint8_array) {
    refuse(info.Env(), "argument " + std::to_string(index) + " is not a Uint8Array");
  }
  const Napi::Uint8Array bytes = info[index].As<Napi::Uint8Array>();
  return {bytes.Data(), bytes.Data() + bytes.ElementLength()};
}

}  // namespace longview::addon
