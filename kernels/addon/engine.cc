#include "addon/engine.h"

#include <cuda_runtime_api.h>

#include <algorithm>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "addon/arguments.h"
#include "common/cuda_error.h"
#include "common/kv_block.h"

namespace longview::addon {

namespace {

/// Progress of a load is told in steps of this fraction.
constexpr double kProgressStep = 0.01;

MakeValue nothing() {
  return [](Napi::Env env) { return env.Undefined(); };
}

MakeValue step_value(const decoder::Step& step) {
  return [step](Napi::Env env) -> Napi::Value {
    Napi::Object value = Napi::Object::New(env);
    if (step.next) value.Set("next", *step.next);
    if (step.blocks) {
      Napi::Object blocks = Napi::Object::New(env);
      blocks.Set("kept", step.blocks->kept);
      blocks.Set("visible", step.blocks->visible);
      value.Set("blocks", blocks);
    }
    value.Set("deviceMs", step.device_ms);
    if (step.attention_ms) value.Set("attentionMs", *step.attention_ms);
    if (step.selection_ms) value.Set("selectionMs", *step.selection_ms);
    return value;
  };
}

MakeValue plan_value(const decoder::MemoryPlan& plan) {
  return [plan](Napi::Env env) -> Napi::Value {
    Napi::Object value = Napi::Object::New(env);
    value.Set("weights", plan.form == decoder::WeightForm::kBf16 ? "bf16" : "stored");
    value.Set("weightBytes", static_cast<double>(plan.weight_bytes + plan.fp8_weight_bytes));
    value.Set("kvBytes", static_cast<double>(plan.kv_bytes));
    value.Set("poolTokens", plan.kv_blocks * KV_BLOCK_TOKENS);
    value.Set("kvBlockTokens", KV_BLOCK_TOKENS);
    value.Set("workspaceBytes", static_cast<double>(plan.workspace_bytes));
    value.Set("fittingTokens", plan.fitting_tokens);
    value.Set("description", decoder::describe(plan));
    return value;
  };
}

/// At the end of the environment, before the worker's way back to JavaScript is closed.
void shut_down(void* engine) { static_cast<Engine*>(engine)->shut_down(); }

}  // namespace

Napi::Function Engine::define(Napi::Env env) {
  return DefineClass(env, "Engine",
                     {InstanceMethod<&Engine::load>("load"),
                      InstanceMethod<&Engine::open_sequence>("openSequence"),
                      InstanceMethod<&Engine::prefill>("prefill"),
                      InstanceMethod<&Engine::decode>("decode"),
                      InstanceMethod<&Engine::rewind>("rewind"),
                      InstanceMethod<&Engine::close_sequence>("closeSequence"),
                      InstanceMethod<&Engine::fork>("fork"),
                      InstanceMethod<&Engine::export_kv>("exportKv"),
                      InstanceMethod<&Engine::import_kv>("importKv"),
                      InstanceMethod<&Engine::logits>("logits"),
                      InstanceMethod<&Engine::block_counts>("blockCounts"),
                      InstanceMethod<&Engine::cancel>("cancel"),
                      InstanceMethod<&Engine::dispose>("dispose")});
}

Engine::Engine(const Napi::CallbackInfo& info)
    : Napi::ObjectWrap<Engine>(info), device_(integer_argument(info, 0)), worker_(info.Env()) {
  napi_add_env_cleanup_hook(info.Env(), addon::shut_down, this);
}

Engine::~Engine() {
  napi_remove_env_cleanup_hook(Env(), addon::shut_down, this);
  shut_down();
}

void Engine::shut_down() {
  is_cancelled_ = true;
  worker_.stop();
  decoder_.reset();
}

Napi::Value Engine::load(const Napi::CallbackInfo& info) {
  const Napi::Object request = info[0].As<Napi::Object>();
  const decoder::ModelSpec spec = model_spec(request.Get("spec").As<Napi::Object>());
  const decoder::DecoderOptions options = decoder_options(request);
  auto tensors = std::make_shared<decoder::TensorTable>(
      tensor_entries(request.Get("tensors").As<Napi::Array>()));
  is_cancelled_ = false;
  return worker_.run(info.Env(), info[1], [this, spec, options, tensors](const Report& report) {
    LONGVIEW_CUDA(cudaSetDevice(device_));
    decoder_.reset();
    decoder::LoadControl control;
    double told = 0.0;
    control.on_progress = [&](double fraction) {
      if (fraction < told + kProgressStep) return;
      told = fraction;
      report(fraction);
    };
    control.should_stop = [this] { return is_cancelled_.load(); };
    decoder_ = std::make_unique<decoder::Decoder>(spec, *tensors, options, control);
    return plan_value(decoder_->plan());
  });
}

Napi::Value Engine::open_sequence(const Napi::CallbackInfo& info) {
  const decoder::SamplingRequest sampling = sampling_request(info[0].As<Napi::Object>());
  return run(info.Env(), [sampling](decoder::Decoder& decoder) -> MakeValue {
    const decoder::SequenceId id = decoder.open_sequence(sampling);
    return [id](Napi::Env env) { return Napi::Number::New(env, id); };
  });
}

Napi::Value Engine::prefill(const Napi::CallbackInfo& info) {
  const int32_t sequence = integer_argument(info, 0);
  if (!info[1].IsTypedArray() || info[1].As<Napi::TypedArray>().TypedArrayType() != napi_int32_array) {
    throw Napi::TypeError::New(info.Env(), "the tokens are not an Int32Array");
  }
  const Napi::Int32Array ids = info[1].As<Napi::Int32Array>();
  std::vector<int32_t> tokens(ids.Data(), ids.Data() + ids.ElementLength());
  const bool choose = info[2].ToBoolean();
  const bool tells_layers = info[3].IsFunction();
  const std::optional<decoder::SparseRequest> sparse = sparse_request(info[4]);
  is_cancelled_ = false;
  return worker_.run(info.Env(), info[3], [this, sequence, tokens = std::move(tokens), choose,
                                           tells_layers, sparse](const Report& report) {
    decoder::PrefillControl control;
    control.should_stop = [this] { return is_cancelled_.load(); };
    if (tells_layers) control.on_layer = report;
    return step_value(loaded().prefill(sequence, tokens, choose, sparse, control));
  });
}

Napi::Value Engine::decode(const Napi::CallbackInfo& info) {
  const int32_t sequence = integer_argument(info, 0);
  const int32_t token = integer_argument(info, 1);
  const bool continues = info[2].ToBoolean();
  return run(info.Env(), [sequence, token, continues](decoder::Decoder& decoder) {
    return step_value(decoder.decode(sequence, token, continues));
  });
}

Napi::Value Engine::rewind(const Napi::CallbackInfo& info) {
  const int32_t sequence = integer_argument(info, 0);
  const int32_t length_tokens = integer_argument(info, 1);
  const decoder::SamplingRequest sampling = sampling_request(info[2].As<Napi::Object>());
  return run(info.Env(), [sequence, length_tokens, sampling](decoder::Decoder& decoder) {
    decoder.rewind(sequence, length_tokens, sampling);
    return nothing();
  });
}

Napi::Value Engine::close_sequence(const Napi::CallbackInfo& info) {
  const int32_t sequence = integer_argument(info, 0);
  return run(info.Env(), [sequence](decoder::Decoder& decoder) {
    decoder.close_sequence(sequence);
    return nothing();
  });
}

Napi::Value Engine::fork(const Napi::CallbackInfo& info) {
  const int32_t source = integer_argument(info, 0);
  const int32_t length_tokens = integer_argument(info, 1);
  const decoder::SamplingRequest sampling = sampling_request(info[2].As<Napi::Object>());
  return run(info.Env(), [source, length_tokens, sampling](decoder::Decoder& decoder) -> MakeValue {
    const decoder::SequenceId id = decoder.fork(source, length_tokens, sampling);
    return [id](Napi::Env env) { return Napi::Number::New(env, id); };
  });
}

Napi::Value Engine::export_kv(const Napi::CallbackInfo& info) {
  const int32_t sequence = integer_argument(info, 0);
  const int32_t start = integer_argument(info, 1);
  const int32_t tokens = integer_argument(info, 2);
  return run(info.Env(), [sequence, start, tokens](decoder::Decoder& decoder) -> MakeValue {
    return [kv = decoder.export_kv(sequence, start, tokens)](Napi::Env env) {
      Napi::Uint8Array array = Napi::Uint8Array::New(env, kv.size());
      std::copy(kv.begin(), kv.end(), array.Data());
      return array;
    };
  });
}

Napi::Value Engine::import_kv(const Napi::CallbackInfo& info) {
  const int32_t sequence = integer_argument(info, 0);
  const int32_t tokens = integer_argument(info, 1);
  std::vector<uint8_t> kv = bytes_argument(info, 2);
  return run(info.Env(), [sequence, tokens, kv = std::move(kv)](decoder::Decoder& decoder) {
    decoder.import_kv(sequence, tokens, kv);
    return nothing();
  });
}

Napi::Value Engine::logits(const Napi::CallbackInfo& info) {
  return run(info.Env(), [](decoder::Decoder& decoder) -> MakeValue {
    return [values = decoder.logits()](Napi::Env env) {
      Napi::Float32Array array = Napi::Float32Array::New(env, values.size());
      std::copy(values.begin(), values.end(), array.Data());
      return array;
    };
  });
}

Napi::Value Engine::block_counts(const Napi::CallbackInfo& info) {
  return run(info.Env(), [](decoder::Decoder& decoder) -> MakeValue {
    return [counts = decoder.block_counts()](Napi::Env env) {
      Napi::Int32Array array = Napi::Int32Array::New(env, counts.size());
      std::copy(counts.begin(), counts.end(), array.Data());
      return array;
    };
  });
}

Napi::Value Engine::cancel(const Napi::CallbackInfo& info) {
  is_cancelled_ = true;
  return info.Env().Undefined();
}

Napi::Value Engine::dispose(const Napi::CallbackInfo& info) {
  is_cancelled_ = true;
  return worker_.run(info.Env(), info.Env().Undefined(), [this](const Report&) {
    decoder_.reset();
    return nothing();
  });
}

Napi::Promise Engine::run(Napi::Env env, std::function<MakeValue(decoder::Decoder&)> task) {
  return worker_.run(env, env.Undefined(), [this, task = std::move(task)](const Report&) {
    return task(loaded());
  });
}

decoder::Decoder& Engine::loaded() {
  if (!decoder_) throw std::invalid_argument("no model is loaded");
  return *decoder_;
}

}  // namespace longview::addon
