#include <sluice/testing/simulation/random.hpp>

#include "catch.hpp"

using sluice::testing::simulated::chance;

TEST_CASE("the same numbers everywhere") {
  chance c{1234567};  // the test vector of the algorithm's authors
  CHECK(c.next() == 6457827717110365317u);
  CHECK(c.next() == 3203168211198807973u);
  CHECK(c.next() == 9817491932198370423u);
}

TEST_CASE("within bounds, and all of them") {
  chance c{7};
  unsigned seen = 0;
  for (int i = 0; i < 1000; ++i) {
    auto const n = c.between(-2, 3);
    REQUIRE(n >= -2);
    REQUIRE(n <= 3);
    seen |= 1u << (n + 2);
  }
  CHECK(seen == 0b111111);
}
