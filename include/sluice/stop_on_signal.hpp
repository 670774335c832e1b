/// \file stop_on_signal.hpp  A stop for run(): SIGTERM and SIGINT end the program after the batch in hand is stored.
#pragma once
#include <atomic>
#include <csignal>
#include <initializer_list>

namespace sluice { inline namespace v0 {

/// `consumer.run(sl::stop_on_signal{}, handler)`: returns soon after the first SIGTERM or SIGINT. A second one, of either,
/// ends the process as if this weren't there. The handlers stay, for the whole process, when the object is gone. System
/// calls that a signal interrupts go on, where the system lets them (SA_RESTART).
class stop_on_signal {
  static inline std::atomic<bool> asked_{false};
  static_assert(std::atomic<bool>::is_always_lock_free);

  static void set(int signal, void (*to)(int)) {
    struct sigaction a{};
    a.sa_handler = to;
    a.sa_flags = SA_RESTART;
    sigemptyset(&a.sa_mask);
    sigaction(signal, &a, nullptr);
  }
  static void first(int) {
    asked_ = true;
    for (int signal : {SIGTERM, SIGINT}) set(signal, SIG_DFL);
  }

 public:
  stop_on_signal() {
    for (int signal : {SIGTERM, SIGINT}) set(signal, first);
  }
  bool stop_requested() const noexcept { return asked_; }
};

}}  // namespace sluice::v0
