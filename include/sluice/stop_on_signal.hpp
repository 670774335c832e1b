/// \file stop_on_signal.hpp  A stop for run(): SIGTERM and SIGINT end the program after the batch in hand is stored.
#pragma once
#include <atomic>
#include <csignal>

namespace sluice { inline namespace v0 {

/// `consumer.run(sl::stop_on_signal{}, handler)`: returns soon after the first SIGTERM or SIGINT. A second one ends the
/// process as if this weren't there. The handlers stay, for the whole process, when the object is gone.
class stop_on_signal {
  static inline std::atomic<bool> asked_{false};
  static_assert(std::atomic<bool>::is_always_lock_free);

 public:
  stop_on_signal() {
    struct sigaction once{};
    once.sa_handler = [](int) { asked_ = true; };
    once.sa_flags = static_cast<int>(SA_RESETHAND);
    sigemptyset(&once.sa_mask);
    for (int signal : {SIGTERM, SIGINT}) sigaction(signal, &once, nullptr);
  }
  bool stop_requested() const noexcept { return asked_; }
};

}}  // namespace sluice::v0
