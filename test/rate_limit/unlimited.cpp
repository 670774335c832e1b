#include <sluice/rate_limit/unlimited.hpp>

#include "catch.hpp"
#include "rate_limit/lanes.hpp"

using namespace lanes;

static_assert(sl::policy_for<sl::unlimited, sl::rate_limit_slot> && !sl::must_be_configured<sl::unlimited>);
static_assert(sl::rate_limit<sl::unlimited::runtime>);

TEST_CASE("nothing is limited, with or without lag") {
  auto limit = sl::unlimited::open({}, {});
  CHECK(take_all(limit, 0s, set({0, 5, unknown})) == counts(3, sl::no_limit));
}
