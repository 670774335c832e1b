#include <sluice/source/position_check.hpp>

#include "catch.hpp"

namespace sl = sluice;
using d = sl::position_decision;

namespace {
sl::topic_partition const of{"orders", 3};
sl::client::watermarks const ends{sl::offset{10}, sl::offset{20}, true};

sl::claimed at(std::int64_t next, std::optional<std::int64_t> last = {}) {
  sl::claimed c{.of = of, .next = sl::offset{next}};
  if (last) c.log.last = sl::fingerprint{sl::offset{*last}, 7};
  return c;
}
}  // namespace

TEST_CASE("in range: read from there; both ends are in range") {
  for (auto const next : {10, 15, 20}) {
    auto const what = sl::check_range(at(next), ends, sl::out_of_range::stop);
    CHECK(what.what == d::read);
    CHECK(what.at == sl::offset{next});
    CHECK_FALSE(what.event);
  }
}

TEST_CASE("with a fingerprint: read from its record, where it is still there") {
  auto const there = sl::check_range(at(15, 12), ends, sl::out_of_range::stop);
  CHECK(there.what == d::read);
  CHECK(there.at == sl::offset{12});
  CHECK_FALSE(there.event);
  auto const first = sl::check_range(at(15, 10), ends, sl::out_of_range::stop);
  CHECK(first.at == sl::offset{10});
  auto const gone = sl::check_range(at(15, 9), ends, sl::out_of_range::stop);
  CHECK(gone.what == d::read);
  CHECK(gone.at == sl::offset{15});
  REQUIRE(gone.event);
  CHECK(gone.event->cause == sl::position_event::fingerprint_gone);
  // one that does not lie before the position says nothing about it
  CHECK(sl::check_range(at(15, 15), ends, sl::out_of_range::stop).at == sl::offset{15});
}

TEST_CASE("outside of the log") {
  struct {
    std::int64_t stored, nearest;
    sl::position_event::cause_t cause;
  } const cases[] = {{9, 10, sl::position_event::out_of_range_low}, {21, 20, sl::position_event::out_of_range_high}};
  for (auto const& c : cases) {
    auto const goes = sl::check_range(at(c.stored), ends, sl::out_of_range::nearest);
    CHECK(goes.what == d::rewind);
    CHECK(goes.at == sl::offset{c.nearest});
    CHECK(goes.cause == "out of range");
    REQUIRE(goes.event);
    CHECK(goes.event->cause == c.cause);
    CHECK(goes.event->resumed == sl::offset{c.nearest});
    CHECK_THAT(goes.event->text, Catch::Matchers::ContainsSubstring("orders/3"));
    auto const stops = sl::check_range(at(c.stored), ends, sl::out_of_range::stop);
    CHECK(stops.what == d::stop);
    CHECK(stops.code == sl::errc::out_of_range);
    REQUIRE(stops.event);
    CHECK(stops.event->resumed == stops.event->stored);
  }
}

TEST_CASE("missing and truncated") {
  using p = sl::position_error;
  auto const missing = sl::position_event::missing, truncated = sl::position_event::truncated;
  CHECK(sl::check_lost(of, sl::offset{15}, missing, ends, p::stop).code == sl::errc::position_missing);
  CHECK(sl::check_lost(of, sl::offset{15}, truncated, ends, p::stop).code == sl::errc::position_truncated);
  CHECK(sl::check_lost(of, sl::offset{15}, truncated, ends, p::stop).what == d::stop);
  CHECK(sl::check_lost(of, sl::offset{15}, missing, ends, p::earliest).at == sl::offset{10});
  CHECK(sl::check_lost(of, sl::offset{15}, missing, ends, p::nearest).at == sl::offset{10});
  CHECK(sl::check_lost(of, sl::offset{15}, truncated, ends, p::earliest).at == sl::offset{10});
  CHECK(sl::check_lost(of, sl::offset{15}, truncated, ends, p::nearest).at == sl::offset{15});
  CHECK(sl::check_lost(of, sl::offset{5}, truncated, ends, p::nearest).at == sl::offset{10});
  CHECK(sl::check_lost(of, sl::offset{25}, truncated, ends, p::nearest).at == sl::offset{20});
  CHECK(sl::check_lost(of, sl::offset{25}, truncated, ends, p::nearest).cause == "truncated");
}
