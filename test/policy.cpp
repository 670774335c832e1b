#include <sluice/policy.hpp>

#include "catch.hpp"

namespace sl = sluice;

namespace {
struct fast {
  using slot = sl::rate_limit_slot;
};
struct needs_a_name {
  using slot = sl::source_slot;
  using must_be_configured = void;
};
struct nothing {};

static_assert(sl::policy<fast> && !sl::policy<nothing> && !sl::policy<int>);
static_assert(sl::policy_for<fast, sl::rate_limit_slot> && !sl::policy_for<fast, sl::source_slot>);
static_assert(!sl::policy_for<nothing, sl::source_slot>);
static_assert(sl::must_be_configured<needs_a_name> && !sl::must_be_configured<fast>);
}  // namespace

TEST_CASE("a context made by hand: no interval, nobody listens") {
  sl::context const c{.brokers = "localhost:9092", .group = "billing"};
  CHECK(c.batch_interval.count() == 0);
  CHECK_FALSE(c.log);
  CHECK(c.properties.empty());
}
