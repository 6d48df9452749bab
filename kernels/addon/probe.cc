#include "addon/probe.h"

#include <cuda_runtime_api.h>

#include <string>

namespace longview::addon {

namespace {

constexpr int kMinimumMajor = 8;

/// 13020 as "13.2", as the driver's version numbers go.
std::string version_text(int version) {
  return std::to_string(version / 1000) + "." + std::to_string(version % 1000 / 10);
}

std::string failure_text(cudaError_t status, int driver_version, int runtime_version) {
  switch (status) {
    case cudaErrorInsufficientDriver:
      if (driver_version == 0) return "no NVIDIA driver is installed";
      return "the NVIDIA driver supports CUDA " + version_text(driver_version) +
             ", and Longview needs " + version_text(runtime_version / 1000 * 1000) +
             " (driver 580 or newer)";
    case cudaErrorNoDevice:
      return "the NVIDIA driver finds no GPU";
    default:
      return std::string("the NVIDIA driver does not answer: ") + cudaGetErrorString(status);
  }
}

Napi::Object describe_device(Napi::Env env, int index) {
  Napi::Object device = Napi::Object::New(env);
  device.Set("index", index);
  cudaDeviceProp properties{};
  const cudaError_t status = cudaGetDeviceProperties(&properties, index);
  if (status != cudaSuccess) {
    cudaGetLastError();
    device.Set("name", "GPU " + std::to_string(index));
    device.Set("failure", cudaGetErrorString(status));
    return device;
  }
  const std::string capability =
      std::to_string(properties.major) + "." + std::to_string(properties.minor);
  device.Set("name", properties.name);
  device.Set("computeCapability", capability);
  device.Set("totalBytes", static_cast<double>(properties.totalGlobalMem));
  if (properties.major < kMinimumMajor) {
    device.Set("failure", "its compute capability is " + capability + ", and Longview needs 8.0");
  }
  return device;
}

}  // namespace

Napi::Value probe(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  int driver_version = 0;
  int runtime_version = 0;
  cudaDriverGetVersion(&driver_version);
  cudaRuntimeGetVersion(&runtime_version);
  int count = 0;
  const cudaError_t status = cudaGetDeviceCount(&count);

  Napi::Object result = Napi::Object::New(env);
  Napi::Array devices = Napi::Array::New(env);
  result.Set("driverVersion", version_text(driver_version));
  result.Set("runtimeVersion", version_text(runtime_version));
  result.Set("devices", devices);
  if (status != cudaSuccess) {
    cudaGetLastError();
    result.Set("failure", failure_text(status, driver_version, runtime_version));
    return result;
  }
  for (int index = 0; index < count; ++index) devices.Set(index, describe_device(env, index));
  return result;
}

}  // namespace longview::addon
