// A Node-API module that does to a GPU what must not happen: for tests of what follows.
//   fault(device): runs a kernel that writes to an address nobody has; every later call on the device fails
//   hog(device, leftBytes): takes all free memory but about `leftBytes`, and returns what it took
//   release(): gives that back
#include <cuda_runtime_api.h>
#include <napi.h>

#include <vector>

namespace {

__global__ void write_to(int* address) { *address = 1; }

std::vector<void*> hogged;

int integer(const Napi::CallbackInfo& info, size_t index) {
  return info[index].As<Napi::Number>().Int32Value();
}

Napi::Value fault(const Napi::CallbackInfo& info) {
  cudaSetDevice(integer(info, 0));
  write_to<<<1, 1>>>(reinterpret_cast<int*>(uintptr_t{0x10}));
  return Napi::String::New(info.Env(), cudaGetErrorString(cudaDeviceSynchronize()));
}

Napi::Value hog(const Napi::CallbackInfo& info) {
  cudaSetDevice(integer(info, 0));
  const auto left = static_cast<size_t>(info[1].As<Napi::Number>().DoubleValue());
  size_t taken = 0;
  for (size_t piece = size_t{1} << 36; piece >= (size_t{1} << 20); piece /= 2) {
    for (;;) {
      size_t free_bytes = 0;
      size_t total_bytes = 0;
      cudaMemGetInfo(&free_bytes, &total_bytes);
      void* memory = nullptr;
      if (free_bytes < left + piece || cudaMalloc(&memory, piece) != cudaSuccess) break;
      hogged.push_back(memory);
      taken += piece;
    }
    cudaGetLastError();
  }
  return Napi::Number::New(info.Env(), static_cast<double>(taken));
}

Napi::Value release(const Napi::CallbackInfo& info) {
  for (void* memory : hogged) cudaFree(memory);
  hogged.clear();
  return info.Env().Undefined();
}

Napi::Object initialize(Napi::Env env, Napi::Object exports) {
  exports.Set("fault", Napi::Function::New(env, fault));
  exports.Set("hog", Napi::Function::New(env, hog));
  exports.Set("release", Napi::Function::New(env, release));
  return exports;
}

}  // namespace

NODE_API_MODULE(longview_fault, initialize)
