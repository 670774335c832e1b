#include <sluice/rate_limit/concept.hpp>

#include "catch.hpp"

namespace sl = sluice;

namespace {
struct least {
  void allow(sl::time_point, std::span<sl::load const>, std::span<std::size_t>) {}
  void taken(sl::time_point, std::span<sl::load const>, std::span<std::size_t const>) {}
  void completed(sl::batch_figures const&) {}
};
struct without_allow {
  void taken(sl::time_point, std::span<sl::load const>, std::span<std::size_t const>) {}
  void completed(sl::batch_figures const&) {}
};
struct without_taken {
  void allow(sl::time_point, std::span<sl::load const>, std::span<std::size_t>) {}
  void completed(sl::batch_figures const&) {}
};
struct without_completed {
  void allow(sl::time_point, std::span<sl::load const>, std::span<std::size_t>) {}
  void taken(sl::time_point, std::span<sl::load const>, std::span<std::size_t const>) {}
};
struct changes_the_loads : least {
  void allow(sl::time_point, std::span<sl::load>, std::span<std::size_t>) {}
};

static_assert(sl::rate_limit<least>);
static_assert(!sl::rate_limit<without_allow>);
static_assert(!sl::rate_limit<without_taken>);
static_assert(!sl::rate_limit<without_completed>);
static_assert(!sl::rate_limit<changes_the_loads>, "loads are the owner's");
static_assert(sl::no_limit > 1'000'000'000'000'000);
}  // namespace

TEST_CASE("a load knows no lag unless it is told") { CHECK_FALSE(sl::load{}.lag.has_value()); }
