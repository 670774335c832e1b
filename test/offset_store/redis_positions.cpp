#include <sluice/offset_store/redis_positions.hpp>

#include "catch.hpp"

namespace sl = sluice;
namespace r = sluice::detail::redis;

TEST_CASE("a position's seven words") {
  sl::claimed c;
  REQUIRE(r::read_words("15 1732213000000 3 18446744073709551615 7 14 9", c));
  CHECK(c.next == sl::offset{15});
  CHECK(c.log == sl::log_state{.incarnation = 1732213000000, .leader_epoch = 7, .last = {{sl::offset{14}, 9}}});
  CHECK(c.mine == sl::fence{3, 18446744073709551615u});
  CHECK(r::log_words(c.log) == "7 14 9");
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

TEST_CASE("keys lie in the group's slot, and no two names share one") {
  r::key_names const k{"sluice", "billing"};
  CHECK(k.slot() == "{sluice:billing}");
  CHECK(k.topic("orders") == "{sluice:billing}:offsets:orders");
  CHECK(k.rewinds() == "{sluice:billing}:rewinds");
  CHECK(r::key_names("sluice", "a}:{b").slot() == "{sluice:a%7D%3A%7Bb}");
  CHECK(r::key_names("a", "b:c").slot() != r::key_names("a:b", "c").slot());
  CHECK(r::key_names("a", "").slot() == "{a:%}");
  CHECK(k.are_ours("{sluice:billing}:offsets:x"));
  CHECK(k.are_ours("{sluice:billing}:rewinds"));
  CHECK_FALSE(k.are_ours("{sluice:billing}:counts"));
}
