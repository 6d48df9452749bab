// What C interfaces share: exceptions become statuses and messages.
#pragma once

#include <cuda_runtime_api.h>

#include <cstdio>
#include <exception>
#include <stdexcept>

#include "capi/longview_attention.h"
#include "common/cuda_error.h"

#define LONGVIEW_EXPORT extern "C" __attribute__((visibility("default")))

namespace longview::capi {

/// Runs `action`; on an exception writes its text to `message` [message_size], which may be null,
/// and returns the longview_status of its kind.
template <class Action>
int guarded(char* message, int message_size, Action action) {
  const auto failed = [&](const std::exception& error, longview_status status) {
    if (message != nullptr && message_size > 0) {
      std::snprintf(message, static_cast<size_t>(message_size), "%s", error.what());
    }
    return status;
  };
  try {
    action();
    return LONGVIEW_OK;
  } catch (const std::invalid_argument& error) {
    return failed(error, LONGVIEW_INVALID_ARGUMENT);
  } catch (const CudaError& error) {
    return failed(error, LONGVIEW_CUDA_ERROR);
  } catch (const std::runtime_error& error) {
    return failed(error, LONGVIEW_UNSUPPORTED);
  } catch (const std::exception& error) {
    return failed(error, LONGVIEW_FAILED);
  }
}

/// For functions that take a params struct and a stream.
template <class Params>
int enqueue(void (*call)(const Params&, cudaStream_t), const Params* params, void* stream,
            char* message, int message_size) {
  return guarded(message, message_size,
                 [&] { call(*params, static_cast<cudaStream_t>(stream)); });
}

/// @throws std::invalid_argument where `pointer` is null.
template <class Value>
const Value& required(const Value* pointer, const char* name) {
  if (pointer == nullptr) throw std::invalid_argument(std::string(name) + " is null");
  return *pointer;
}

}  // namespace longview::capi
