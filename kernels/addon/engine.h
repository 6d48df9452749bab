// The decoder as a JavaScript object.
#pragma once

#include <napi.h>

#include <atomic>
#include <functional>
#include <memory>

#include "addon/worker.h"
#include "decoder/decoder.h"

namespace longview::addon {

/// new Engine(deviceIndex). Every method but `cancel` returns a promise and runs after the calls
/// before it; a failure is an Error with a `code` (addon/failure.h).
///
///   load({ paths, spec, tensors, contextTokens, chunkTokens, pooledKeys?, weights?, prefillPrecision?, kernels? },
///        onProgress)
///       -> { weights, weightBytes, kvBytes, poolTokens, kvBlockTokens, workspaceBytes, fittingTokens,
///            description }
///   openSequence(sampling) -> sequence
///   prefill(sequence, Int32Array, choose, onLayer?, sparse?) -> { next?, blocks?, deviceMs, attentionMs }
///   decode(sequence, token) -> { next, deviceMs }
///   rewind(sequence, lengthTokens, sampling), closeSequence(sequence)
///   fork(sequence, lengthTokens, sampling) -> sequence that starts with those tokens
///   exportKv(sequence, startToken, tokens) -> Uint8Array; importKv(sequence, tokens, Uint8Array)
///   logits() -> Float32Array of the last choice
///   blockCounts() -> Int32Array [layers, heads, query tiles] of the last sparse prefill
///   cancel(): the load or prefill under way ends with the code `cancelled`
///   dispose(): frees everything; load() may follow
class Engine : public Napi::ObjectWrap<Engine> {
 public:
  static Napi::Function define(Napi::Env env);

  explicit Engine(const Napi::CallbackInfo& info);
  ~Engine() override;

  /// Ends the worker with everything on the device.
  void shut_down();

 private:
  Napi::Value load(const Napi::CallbackInfo& info);
  Napi::Value open_sequence(const Napi::CallbackInfo& info);
  Napi::Value prefill(const Napi::CallbackInfo& info);
  Napi::Value decode(const Napi::CallbackInfo& info);
  Napi::Value rewind(const Napi::CallbackInfo& info);
  Napi::Value close_sequence(const Napi::CallbackInfo& info);
  Napi::Value fork(const Napi::CallbackInfo& info);
  Napi::Value export_kv(const Napi::CallbackInfo& info);
  Napi::Value import_kv(const Napi::CallbackInfo& info);
  Napi::Value logits(const Napi::CallbackInfo& info);
  Napi::Value block_counts(const Napi::CallbackInfo& info);
  Napi::Value cancel(const Napi::CallbackInfo& info);
  Napi::Value dispose(const Napi::CallbackInfo& info);

  /// Queues `task` on the loaded decoder.
  Napi::Promise run(Napi::Env env, std::function<MakeValue(decoder::Decoder&)> task);

  /// On the worker's thread. @throws std::invalid_argument when no model is loaded
  decoder::Decoder& loaded();

  int device_;
  std::atomic<bool> is_cancelled_{false};
  Worker worker_;
  std::unique_ptr<decoder::Decoder> decoder_;  // the worker's thread only
};

}  // namespace longview::addon
