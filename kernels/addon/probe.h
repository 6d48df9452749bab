// What GPUs there are, and why they cannot be used.
#pragma once

#include <napi.h>

namespace longview::addon {

/// probe(): { driverVersion, runtimeVersion, devices, failure? }. Never throws: without a driver,
/// `devices` is empty and `failure` says why. A device that the kernels do not run on has `failure`.
Napi::Value probe(const Napi::CallbackInfo& info);

}  // namespace longview::addon
