/// \file kills.hpp  Children of a test's own program that are killed by SIGKILL, wherever they are.
#pragma once
#include <sluice/observer.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "catch.hpp"
#include "servers/process.hpp"

namespace kills {

/// From the environment; nothing: empty, 0.
inline std::string word(char const* name) {
  auto const* value = std::getenv(name);
  return value ? value : "";
}
inline long number(char const* name) { return std::atol(word(name).c_str()); }

/// In a child: ends the process at its n-th call (SLUICE_KILL_AT), or so many microseconds after the first
/// (SLUICE_KILL_AFTER), wherever it is then.
class killer {
  long left_ = number("SLUICE_KILL_AT");
  long after_ = number("SLUICE_KILL_AFTER");

 public:
  void operator()() {
    if (after_ > 0)
      std::thread{[time = std::exchange(after_, 0)] {
        std::this_thread::sleep_for(std::chrono::microseconds{time});
        ::kill(::getpid(), SIGKILL);
      }}.detach();
    if (left_ > 0 && --left_ == 0) ::raise(SIGKILL);
  }
};

struct watcher {
  using slot = sluice::observer_slot;
  killer* may_kill;
  void on_advancing(sluice::advance_event const&) { (*may_kill)(); }
  void on_advanced(sluice::advance_event const&) { (*may_kill)(); }
  void on_batch(sluice::batch_event const&) { (*may_kill)(); }
};

/// Runs the program's case "[child]" until it has been killed so many times, at its `calls`-th call at the latest, every
/// other time before `microseconds` are over.
inline void killed(std::vector<std::string> const& environment, std::string const& log, int times, std::uint64_t calls,
                   std::uint64_t microseconds, std::mt19937& random) {
  for (int i = 0; i < times; ++i) {
    bool const by_time = i % 2 == 1;
    auto with = environment;
    with.push_back("SLUICE_KILL_AT=" + std::to_string(by_time ? calls : 1 + random() % calls));
    if (by_time) with.push_back("SLUICE_KILL_AFTER=" + std::to_string(1 + random() % microseconds));
    servers::process child{{"/proc/self/exe", "[child]"}, log, with};
    int status = 0;
    ::waitpid(child.pid(), &status, 0);
    INFO(child.log());
    REQUIRE(WIFSIGNALED(status));
    REQUIRE(WTERMSIG(status) == SIGKILL);
  }
}
/// Runs it to its end.
inline void ended(std::vector<std::string> const& environment, std::string const& log) {
  servers::process child{{"/proc/self/exe", "[child]"}, log, environment};
  int status = 0;
  ::waitpid(child.pid(), &status, 0);
  INFO(child.log());
  REQUIRE(WIFEXITED(status));
  REQUIRE(WEXITSTATUS(status) == 0);
}

}  // namespace kills
