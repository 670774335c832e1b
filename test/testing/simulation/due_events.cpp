#include <sluice/testing/simulation/due_events.hpp>

#include "catch.hpp"

using namespace sluice::testing::simulated;

TEST_CASE("events are due in the order of time, then as they were noted") {
  due_events all;
  CHECK(all.next_at() == never);
  for (auto const& [at, what] : {std::pair{20, 1}, {10, 2}, {20, 3}, {10, 4}})
    all.add({.at = at, .run = nullptr, .of = nullptr, .what = what});
  CHECK(all.next_at() == 10);
  CHECK_FALSE(all.take(9));
  for (std::int64_t const what : {2, 4}) CHECK(all.take(10)->what == what);
  CHECK_FALSE(all.take(10));
  for (std::int64_t const what : {1, 3}) CHECK(all.take(30)->what == what);
  CHECK(all.next_at() == never);
}
