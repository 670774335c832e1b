#include <sluice/error.hpp>

#include "catch.hpp"

namespace sl = sluice;

// What is written down by users stays: the first and some later values.
static_assert(static_cast<int>(sl::errc::bad_configuration) == 1);
static_assert(static_cast<int>(sl::errc::no_position) == 6);
static_assert(static_cast<int>(sl::errc::two_owners) == 11);
static_assert(static_cast<int>(sl::errc::fenced) == 16);
static_assert(static_cast<int>(sl::errc::bad_statement) == 22);
static_assert(static_cast<int>(sl::errc::conflict) == 23);
static_assert(static_cast<int>(sl::errc::login_failed) == 24);
static_assert(static_cast<int>(sl::errc::access_denied) == 25);

TEST_CASE("an error says who speaks, and keeps its code") {
  sl::error const e(sl::errc::unknown_topic, "no topic 'orders'");
  CHECK(std::string(e.what()) == "sluice: no topic 'orders'");
  CHECK(e.code() == sl::errc::unknown_topic);
}

TEST_CASE("a store's error is an error, and a std::exception; an error is not the store's") {
  CHECK_THROWS_AS(throw sl::store_error(sl::errc::store_full, "full"), sl::error);
  CHECK_THROWS_AS(throw sl::store_error(sl::errc::store_full, "full"), std::runtime_error);
  static_assert(!std::is_convertible_v<sl::error const&, sl::store_error const&>);
}
