#include <sluice/offset_store/kept_position.hpp>

#include "catch.hpp"

namespace sl = sluice;

TEST_CASE("positions are told apart by all that they say, and sorted by partition") {
  sl::kept_position const one{.of = {"orders", 0}, .next = sl::offset{4}};
  auto other = one;
  CHECK(one == other);
  other.held = true;
  CHECK_FALSE(one == other);
  other = one;
  other.store_id = "here";
  CHECK_FALSE(one == other);

  std::vector<sl::kept_position> const mixed{{.of = {"b", 0}}, {.of = {"a", 10}}, {.of = {"a", 2}}};
  auto const sorted = sl::detail::in_order(mixed);
  CHECK(sorted[0].of == sl::topic_partition{"a", 2});
  CHECK(sorted[1].of == sl::topic_partition{"a", 10});
  CHECK(sorted[2].of == sl::topic_partition{"b", 0});
}
