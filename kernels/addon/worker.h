// The thread that talks to the GPU. JavaScript's thread never waits for it.
#pragma once

#include <napi.h>

#include <condition_variable>
#include <deque>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <thread>

namespace longview::addon {

/// Makes the JavaScript value of a result, on JavaScript's thread.
using MakeValue = std::function<Napi::Value(Napi::Env)>;

/// Tells JavaScript how far a task is, from the worker's thread.
using Report = std::function<void(double)>;

/// Runs tasks one after the other on a thread of its own. Its public methods are called on
/// JavaScript's thread.
class Worker {
 public:
  explicit Worker(Napi::Env env);
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;
  ~Worker() { stop(); }

  /// Queues `task`; the promise gets what its result makes, or the failure that it threw. What the
  /// task reports goes to `listener` where that is a function, in order and before the result.
  Napi::Promise run(Napi::Env env, const Napi::Value& listener,
                    std::function<MakeValue(const Report&)> task);

  /// Ends the thread when the task it runs has ended. Tasks still queued are dropped, and their
  /// promises stay open: only at the end of the environment.
  void stop();

 private:
  using Ticket = uint64_t;

  void loop();
  Report report_to(Ticket ticket);
  void post_to_js(std::function<void(Napi::Env)> call);

  std::mutex mutex_;
  std::condition_variable has_work_;
  std::deque<std::function<void()>> queue_;
  bool is_stopping_ = false;

  // JavaScript's thread only: what waits for an answer, with its listener or an empty reference.
  std::map<Ticket, Napi::FunctionReference> open_;
  Ticket next_ticket_ = 0;

  Napi::ThreadSafeFunction to_js_;
  std::thread thread_;
};

}  // namespace longview::addon
