// What all C interfaces for tests share: exceptions become messages.
#pragma once

#include <cuda_runtime_api.h>

#include <cstdio>
#include <exception>

#define LONGVIEW_EXPORT extern "C" __attribute__((visibility("default")))

namespace longview::capi {

/// Runs `action`; on an exception writes its text to `message` [message_size]
/// and returns 1.
template <class Action>
int guarded(char *message, int message_size, Action action) {
  try {
    action();
    return 0;
  } catch (const std::exception &error) {
    std::snprintf(message, message_size, "%s", error.what());
    return 1;
  }
}

/// For functions that take a params struct and a stream.
template <class Params>
int enqueue(void (*call)(const Params &, cudaStream_t), const Params *params,
            void *stream, char *message, int message_size) {
  return guarded(message, message_size,
                 [&] { call(*params, static_cast<cudaStream_t>(stream)); });
}

} // namespace longview::capi
