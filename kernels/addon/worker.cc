#include "addon/worker.h"

#include <exception>
#include <utility>

#include "addon/failure.h"

namespace longview::addon {

Worker::Worker(Napi::Env env)
    : to_js_(Napi::ThreadSafeFunction::New(
          env, Napi::Function::New(env, [](const Napi::CallbackInfo&) {}), "longview-gpu", 0, 1)) {
  // Keeps the process alive only while somebody waits for an answer.
  to_js_.Unref(env);
  thread_ = std::thread([this] { loop(); });
}

Napi::Promise Worker::run(Napi::Env env, const Napi::Value& listener,
                          std::function<MakeValue(const Report&)> task) {
  const Napi::Promise::Deferred promise(env);
  const Ticket ticket = next_ticket_++;
  if (open_.empty()) to_js_.Ref(env);
  Napi::FunctionReference& heard_by = open_[ticket];
  if (listener.IsFunction()) heard_by = Napi::Persistent(listener.As<Napi::Function>());

  auto job = [this, promise, ticket, task = std::move(task)] {
    std::function<void(Napi::Env)> answer;
    try {
      const MakeValue make_value = task(report_to(ticket));
      answer = [promise, make_value](Napi::Env js) { promise.Resolve(make_value(js)); };
    } catch (...) {
      const Failure failure = describe_failure(std::current_exception());
      answer = [promise, failure](Napi::Env js) { promise.Reject(make_error(js, failure)); };
    }
    post_to_js([this, ticket, answer](Napi::Env js) {
      open_.erase(ticket);
      if (open_.empty()) to_js_.Unref(js);
      answer(js);
    });
  };
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    queue_.push_back(std::move(job));
  }
  has_work_.notify_one();
  return promise.Promise();
}

Report Worker::report_to(Ticket ticket) {
  return [this, ticket](double value) {
    post_to_js([this, ticket, value](Napi::Env js) {
      const auto entry = open_.find(ticket);
      if (entry == open_.end() || entry->second.IsEmpty()) return;
      entry->second.Call({Napi::Number::New(js, value)});
    });
  };
}

void Worker::post_to_js(std::function<void(Napi::Env)> call) {
  to_js_.NonBlockingCall([call = std::move(call)](Napi::Env env, Napi::Function) { call(env); });
}

void Worker::stop() {
  if (!thread_.joinable()) return;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    is_stopping_ = true;
    queue_.clear();
  }
  has_work_.notify_one();
  thread_.join();
  to_js_.Release();
}

void Worker::loop() {
  for (;;) {
    std::function<void()> job;
    {
      std::unique_lock<std::mutex> lock(mutex_);
      has_work_.wait(lock, [this] { return is_stopping_ || !queue_.empty(); });
      if (is_stopping_) return;
      job = std::move(queue_.front());
      queue_.pop_front();
    }
    job();
  }
}

}  // namespace longview::addon
