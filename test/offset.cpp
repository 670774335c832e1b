#include <sluice/offset.hpp>

#include "catch.hpp"

#include <type_traits>

namespace sl = sluice;

static_assert(!std::is_convertible_v<std::int64_t, sl::offset>, "a number is no offset by itself");
static_assert(!std::is_convertible_v<sl::offset, std::int64_t>);
static_assert(sl::offset{} == sl::offset{0});
static_assert(sl::offset{7}.next() == sl::offset{8} && sl::offset{7}.value() == 7);
static_assert(sl::offset{7} < sl::offset{8} && sl::offset{-1} < sl::offset{0});

TEST_CASE("partitions are ordered by topic, then by number") {
  using of = sl::topic_partition;
  CHECK(of{"a", 10} < of{"b", 2});
  CHECK(of{"a", 2} < of{"a", 10});
  CHECK(of{"a", 2} == of{"a", 2});
  CHECK(to_string(of{"orders", 3}) == "orders/3");
}

TEST_CASE("ranges and positions are equal when all of them is") {
  sl::offset_range const range{{"a", 1}, sl::offset{3}, sl::offset{9}, 5};
  CHECK(range == sl::offset_range{{"a", 1}, sl::offset{3}, sl::offset{9}, 5});
  CHECK_FALSE(range == sl::offset_range{{"a", 2}, sl::offset{3}, sl::offset{9}, 5});
  CHECK_FALSE(range == sl::offset_range{{"a", 1}, sl::offset{4}, sl::offset{9}, 5});
  CHECK_FALSE(range == sl::offset_range{{"a", 1}, sl::offset{3}, sl::offset{8}, 5});
  CHECK_FALSE(range == sl::offset_range{{"a", 1}, sl::offset{3}, sl::offset{9}, 6});
  CHECK_FALSE(sl::position{{"a", 1}, sl::offset{3}} == sl::position{{"a", 1}, sl::offset{4}});
  CHECK_FALSE(sl::lag_of{{"a", 1}, 3} == sl::lag_of{{"a", 1}, 4});
}

TEST_CASE("a lag is not known until it is told") { CHECK(sl::lag_of{}.records < 0); }
