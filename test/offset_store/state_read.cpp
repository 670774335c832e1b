#include <sluice/offset_store/state_read.hpp>

#include "catch.hpp"

namespace sl = sluice;

TEST_CASE("of a state, a group's positions: those that are there, held where there is a fence") {
  sl::file_generation state;
  state.topics[{"billing", "orders"}] = {
      {.there = true, .next = sl::offset{7}, .owner = {1, 2}, .log = {.incarnation = 3}},
      {.there = false, .next = sl::offset{8}},
      {.there = true, .next = sl::offset{9}, .owner = {1, 0}}};
  state.topics[{"another", "orders"}] = {{.there = true, .next = sl::offset{1}}};
  auto const all = sl::detail::positions_in(state, "billing", "id");
  REQUIRE(all.size() == 2);
  CHECK(all[0] == sl::kept_position{{"orders", 0}, sl::offset{7}, {.incarnation = 3}, true, "id"});
  CHECK(all[1] == sl::kept_position{{"orders", 2}, sl::offset{9}, {}, false, "id"});
  CHECK(sl::detail::positions_in(state, "nobody").empty());
}
