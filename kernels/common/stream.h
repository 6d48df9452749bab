// Owners of CUDA streams and events.
#pragma once

#include <utility>

#include "common/cuda_error.h"

namespace longview {

/// A stream that does not wait for the default stream.
class Stream {
 public:
  Stream() { LONGVIEW_CUDA(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking)); }
  Stream(Stream&& other) noexcept : stream_(std::exchange(other.stream_, nullptr)) {}
  Stream& operator=(Stream&& other) noexcept {
    std::swap(stream_, other.stream_);
    return *this;
  }
  ~Stream() {
    if (stream_ != nullptr) cudaStreamDestroy(stream_);
  }

  cudaStream_t get() const { return stream_; }
  void synchronize() const { LONGVIEW_CUDA(cudaStreamSynchronize(stream_)); }

 private:
  cudaStream_t stream_ = nullptr;
};

/// A point in a stream's work.
class Event {
 public:
  /// With `timing`, elapsed_ms() works and recording costs a little more.
  explicit Event(bool timing = false) {
    LONGVIEW_CUDA(
        cudaEventCreateWithFlags(&event_, timing ? cudaEventDefault : cudaEventDisableTiming));
  }
  Event(Event&& other) noexcept : event_(std::exchange(other.event_, nullptr)) {}
  Event& operator=(Event&& other) noexcept {
    std::swap(event_, other.event_);
    return *this;
  }
  ~Event() {
    if (event_ != nullptr) cudaEventDestroy(event_);
  }

  cudaEvent_t get() const { return event_; }
  void record(const Stream& stream) { LONGVIEW_CUDA(cudaEventRecord(event_, stream.get())); }
  void synchronize() const { LONGVIEW_CUDA(cudaEventSynchronize(event_)); }

  /// Milliseconds from `start` to this event; both recorded with timing and completed.
  float elapsed_ms(const Event& start) const {
    float ms = 0.f;
    LONGVIEW_CUDA(cudaEventElapsedTime(&ms, start.event_, event_));
    return ms;
  }

 private:
  cudaEvent_t event_ = nullptr;
};

}  // namespace longview
