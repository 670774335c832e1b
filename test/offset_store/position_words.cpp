#include <sluice/offset_store/position_words.hpp>

#include "catch.hpp"

namespace sl = sluice;
namespace r = sluice::detail;

TEST_CASE("a position's seven words") {
  sl::claimed c;
  REQUIRE(r::read_words("15 1732213000000 3 18446744073709551615 7 14 9", c));
  CHECK(c.next == sl::offset{15});
  CHECK(c.log == sl::log_state{.incarnation = 1732213000000, .leader_epoch = 7, .last = {{sl::offset{14}, 9}}});
  CHECK(c.mine == sl::fence{3, 18446744073709551615u});
  CHECK(r::log_words(c.log) == "7 14 9");
  CHECK(r::position_words(c.next, c.mine, c.log) == "15 1732213000000 3 18446744073709551615 7 14 9");
  CHECK(r::position_words({}, c.mine, {.incarnation = 2}) == "- 2 3 18446744073709551615 -1 - -");
  REQUIRE(r::read_words("- 1 3 4 -1 - -", c));
  CHECK_FALSE((c.log.last || c.next != sl::offset{}));
  CHECK(r::log_words(c.log) == "-1 - -");
  for (auto const* bad : {"",
                          " ",
                          "1",
                          "1 2 3 4 5 6",
                          "1 2 3 4 5 6 7 8",
                          "1 2 3 4 5 6 7 ",
                          " 1 2 3 4 5 6 7",
                          "1  3 4 5 6 7",
                          "a 2 3 4 5 6 7",
                          "1 - 3 4 5 6 7",
                          "1 2 - 4 5 6 7",
                          "1 2 3 - 5 6 7",
                          "1 2 3 4 - 6 7",
                          "1 2 3 4 5 - 7",
                          "1 2 3 4 5 6 -",
                          "1 2 -3 4 5 6 7",
                          "1 2 3 4 5 6 -7",
                          "1x 2 3 4 5 6 7",
                          "9223372036854775808 2 3 4 5 6 7",
                          "1 2 3 18446744073709551616 5 6 7"}) {
    INFO(bad);
    CHECK_FALSE(r::read_words(bad, c));
  }
}
