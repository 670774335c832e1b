#include <sluice/clock.hpp>

#include "catch.hpp"

namespace sl = sluice;

namespace {
struct by_hand {
  sl::time_point now() { return {}; }
  sl::wall_time wall() { return {}; }
};
struct without_wall {
  sl::time_point now() { return {}; }
};
struct wrong_wall : without_wall {
  sl::time_point wall() { return {}; }
};
static_assert(sl::clock_runtime<by_hand> && sl::clock_runtime<sl::system_clock::runtime>);
static_assert(!sl::clock_runtime<without_wall>);
static_assert(!sl::clock_runtime<wrong_wall>, "the wall clock is another one");
static_assert(sl::policy_for<sl::system_clock, sl::clock_slot>);
}  // namespace

TEST_CASE("the machine's clocks") {
  auto clock = sl::system_clock::open({}, {});
  auto const before = std::chrono::steady_clock::now();
  auto const now = clock.now();
  CHECK((before <= now && now <= std::chrono::steady_clock::now()));
  auto const wall_before = std::chrono::floor<std::chrono::milliseconds>(std::chrono::system_clock::now());
  auto const wall = clock.wall();
  CHECK(wall - wall_before < std::chrono::minutes(1));
  CHECK(wall_before - wall < std::chrono::minutes(1));
}
