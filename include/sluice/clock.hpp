/// \file clock.hpp  Whose time it is: the machine's, or a simulator's.
#pragma once
#include <sluice/offset.hpp>
#include <sluice/policy.hpp>

namespace sluice { inline namespace v0 {

template <class C>
concept clock_runtime = requires(C& c) {
  { c.now() } -> std::same_as<time_point>;  // never goes back: durations, deadlines
  { c.wall() } -> std::same_as<wall_time>;  // may jump: batch times, incarnations
};

/// The machine's own clocks; the default.
struct system_clock {
  using slot = clock_slot;
  struct runtime {
    time_point now() { return std::chrono::steady_clock::now(); }
    wall_time wall() { return std::chrono::floor<std::chrono::milliseconds>(std::chrono::system_clock::now()); }
  };
  static runtime open(system_clock const&, context const&) { return {}; }
};

}}  // namespace sluice::v0
