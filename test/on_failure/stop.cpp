#include <sluice/on_failure/stop.hpp>

#include "catch.hpp"
#include "scripted_consumer.hpp"

using namespace scripted;

TEST_CASE("stop: step throws what the handler threw; the batch is offered again") {
  outside o;
  o.world.produce(p0, 3);
  auto c = o.start<sl::at_least_once>();
  o.world.assign({p0});
  CHECK_THROWS_WITH(c.step([](sl::batch const&) { throw std::logic_error("mine"); }), "mine");
  CHECK(o.disk.next(p0) == 0);
  CHECK(code_of([&] { c.step([](sl::batch const&) { throw 1; }); }) == sl::errc::handler_failed);
  std::vector<effect> seen;
  c.step(recorder{seen});
  CHECK(offsets_of(p0, seen) == upto(3));
  CHECK(o.disk.next(p0) == 3);
}

TEST_CASE("stop, each: the records before the failing one are not handled again") {
  outside o{2};
  o.world.produce(p0, 3);
  o.world.produce(p1, 3);
  auto c = o.start<sl::at_least_once>();
  o.world.assign({p0, p1});
  std::vector<effect> seen;
  int failures = 2;
  auto handler = sl::each([&](sl::record r) {
    if (r.partition() == 1 && r.offset().value() == 1 && failures-- > 0) throw std::runtime_error("poison");
    seen.push_back(place_of(r));
  });
  CHECK_THROWS(c.step(handler));
  CHECK_THROWS(c.step(handler));
  c.step(handler);
  CHECK(offsets_of(p0, seen) == upto(3));
  CHECK(offsets_of(p1, seen) == upto(3));
}

TEST_CASE("stop, each: a partition before the failing one goes: the failing record is still the next") {
  outside o{3};
  o.world.cooperative = true;
  for (auto const& p : {p0, p1, p2}) o.world.produce(p, 3);
  auto c = o.start<sl::at_least_once>();
  o.world.assign({p0, p1, p2});
  std::vector<effect> seen;
  bool failed = false;
  auto handler = sl::each([&](sl::record r) {
    if (r.partition() == 1 && r.offset().value() == 1 && !std::exchange(failed, true)) throw std::runtime_error("once");
    seen.push_back(place_of(r));
  });
  CHECK_THROWS(c.step(handler));
  o.world.revoke({p0});
  steps(c, handler, 3);
  CHECK(offsets_of(p1, seen) == upto(3));
  CHECK(offsets_of(p2, seen) == upto(3));
  c.close();
  CHECK(o.world.wrong() == "");
}
