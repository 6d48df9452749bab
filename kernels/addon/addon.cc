// The Node-API module: probe() and Engine. Loading it touches no driver.
#include <napi.h>

#include "addon/engine.h"
#include "addon/probe.h"

namespace {

Napi::Object initialize(Napi::Env env, Napi::Object exports) {
  exports.Set("probe", Napi::Function::New(env, longview::addon::probe));
  exports.Set("Engine", longview::addon::Engine::define(env));
  return exports;
}

}  // namespace

NODE_API_MODULE(longview, initialize)
