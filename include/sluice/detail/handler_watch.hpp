/// \file detail/handler_watch.hpp  Tells of a handler that still runs when half of its time is over, from a thread of its own.
#pragma once
#include <sluice/clock.hpp>
#include <sluice/observer.hpp>

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>

namespace sluice { inline namespace v0 { namespace detail {

/// Where the observer asks for it, and time is the machine's.
template <class Observer, class Clock>
concept watches_handler =
    std::same_as<Clock, system_clock> && requires(Observer& o, slow_event const& e) { o.on_hanging_handler(e); };

struct nothing_watched {
  struct call {
    call(nothing_watched&, time_point) {}
  };
  template <class Observer>
  nothing_watched(Observer&, std::chrono::milliseconds) {}
};

/// The thread looks no more often than it must: from one look on, no call is due for half of the limit. A call costs two
/// stores and no lock. The observer is borrowed.
template <class Observer>
class handler_watch {
  static constexpr time_point::rep idle = 0;

  Observer& to_;
  std::chrono::milliseconds limit_;
  std::atomic<time_point::rep> since_{idle};
  std::mutex guard_{};
  std::condition_variable_any sleep_{};
  std::jthread thread_{[this](std::stop_token const& over) { watch(over); }};  // the last: it ends first

 public:
  handler_watch(Observer& to, std::chrono::milliseconds limit) : to_(to), limit_(limit) {}
  handler_watch(handler_watch const&) = delete;
  handler_watch& operator=(handler_watch const&) = delete;

  class call {
    handler_watch& by_;

   public:
    call(handler_watch& by, time_point since) : by_(by) { by_.since_ = since.time_since_epoch().count(); }
    ~call() { by_.since_ = idle; }
    call(call const&) = delete;
    call& operator=(call const&) = delete;
  };

 private:
  void watch(std::stop_token const& over) {
    auto const half = limit_ / 2;
    auto told = idle;
    auto now = std::chrono::steady_clock::now();
    for (auto next = now + half;; next = now + half) {
      std::unique_lock lock{guard_};
      (void)sleep_.wait_until(lock, over, next, [] { return false; });
      if (over.stop_requested()) return;
      now = std::chrono::steady_clock::now();
      auto const since = since_.load();
      if (since == idle || since == told) continue;
      auto const begun = time_point{time_point::duration{since}};
      if (now < begun + half) {
        now = begun;
        continue;
      }
      told = since;
      tell(now - begun);
    }
  }

  void tell(std::chrono::nanoseconds running) {
    try {
      to_.on_hanging_handler(
          slow_event{running, limit_,
                     "a handler has been running for half of max.poll.interval.ms (" + std::to_string(limit_.count()) +
                         " ms); when that is over, the group gives this member's partitions to others"});
    } catch (...) {}  // step() can't throw it: it waits for the handler
  }
};

}}}  // namespace sluice::v0::detail
