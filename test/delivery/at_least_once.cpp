#include <sluice/delivery/at_least_once.hpp>

#include "catch.hpp"
#include "scripted_consumer.hpp"

using namespace scripted;

TEST_CASE("at_least_once: handled first; nothing is stored before") {
  outside o;
  std::vector<effect> seen;
  auto c = o.start<sl::at_least_once>();
  o.world.assign({p0});
  o.world.produce(p0, 4);
  c.step([&](sl::batch const& b) {
    CHECK(o.disk.next(p0) == 0);
    recorder{seen}(b);
  });
  CHECK(o.disk.next(p0) == 4);
}

TEST_CASE("at_least_once: gaps are crossed, offsets are not counted") {
  outside o;
  std::vector<effect> seen;
  o.world.gap(p0, 3);
  o.world.produce(p0, 2);
  o.world.gap(p0, 5);
  o.world.produce(p0, 1);
  auto c = o.start<sl::at_least_once>();
  o.world.assign({p0});
  drain_log(c, recorder{seen});
  CHECK(offsets_of(p0, seen) == std::vector<std::int64_t>{3, 4, 10});
  CHECK(o.disk.next(p0) == 11);
}

TEST_CASE("at_least_once: the batch stays in hand until the store has it; it is handled once") {
  outside o;
  std::vector<effect> seen;
  auto c = o.start<sl::at_least_once>();
  o.world.assign({p0});
  o.world.produce(p0, 3);
  SECTION("the store is down") {
    o.disk.advances = {{act::down}};
    CHECK(code_of([&] { c.step(recorder{seen}); }) == sl::errc::store_unavailable);
    CHECK(c.statistics().store_failures == 1);
  }
  SECTION("the group is rebalancing") {
    o.disk.advances = {{act::postpone}, {act::postpone}};
    auto const r = c.step(recorder{seen});
    CHECK(r.what == sl::step_result::retrying);
    CHECK(r.due > o.world.now);
  }
  SECTION("the answer is lost, and it was applied") { o.disk.advances = {{act::unheard}}; }
  SECTION("the answer is lost, and it was not applied, but settles") { o.disk.advances = {{act::lose}}; }
  steps(c, recorder{seen}, 4);
  CHECK(offsets_of(p0, seen) == upto(3));
  CHECK(o.disk.next(p0) == 3);
  c.close();
  CHECK(o.world.wrong() == "");
}

TEST_CASE("at_least_once: unknown to the end: dropped, claimed anew, handled again where it was not applied") {
  auto const what = GENERATE(act::lose, act::late, act::unheard);
  outside o;
  std::vector<effect> seen;
  auto c = o.start<sl::at_least_once>();
  o.world.assign({p0});
  o.world.produce(p0, 3);
  o.disk.advances = {{what}};
  o.disk.settles = {{act::lose}};
  c.step(recorder{seen});
  CHECK(c.statistics().unknown == 1);
  auto const fence = o.disk.rows.at(p0).mine;
  steps(c, recorder{seen}, 5);
  CHECK(o.disk.rows.at(p0).mine != fence);
  auto expected = upto(3);
  if (what == act::lose) expected = {0, 1, 2, 0, 1, 2};
  CHECK(offsets_of(p0, seen) == expected);
  CHECK(o.disk.next(p0) == 3);
}

TEST_CASE("at_least_once: some refused: the rest is stored, the refused is claimed and read again") {
  outside o{3};
  std::vector<effect> seen;
  auto c = o.start<sl::at_least_once>();
  o.world.assign({p0, p1, p2});
  for (auto const& p : {p0, p1, p2}) o.world.produce(p, 3);
  o.disk.advances = {{act::refuse, p1}};
  auto const some = c.step(recorder{seen});
  CHECK(some.what == sl::step_result::handled);
  CHECK(some.records == 6);
  CHECK(o.disk.next(p0) == 3);
  CHECK(o.disk.next(p1) == 0);
  CHECK(o.disk.next(p2) == 3);
  steps(c, recorder{seen}, 5);
  CHECK(offsets_of(p0, seen) == upto(3));
  CHECK(offsets_of(p1, seen) == std::vector<std::int64_t>{0, 1, 2, 0, 1, 2});
  CHECK(o.disk.next(p1) == 3);
  CHECK(c.statistics().records == 9);
  o.world.produce(p0, 2);
  o.disk.advances = {{act::refuse, p0}};
  auto const none = c.step(recorder{seen});
  CHECK(none.what == sl::step_result::handled);
  CHECK(none.records == 0);
  c.close();
  CHECK(o.world.wrong() == "");
}

TEST_CASE(
    "at_least_once: postponed, then some revoked: those are dropped, the rest is stored, nothing is handled twice") {
  outside o{2};
  std::vector<effect> seen;
  o.world.cooperative = true;
  auto c = o.start<sl::at_least_once>();
  o.world.assign({p0, p1});
  o.world.produce(p0, 3);
  o.world.produce(p1, 3);
  o.disk.advances = {{act::postpone}};
  CHECK(c.step(recorder{seen}).what == sl::step_result::retrying);
  o.world.revoke({p1}, true);
  steps(c, recorder{seen}, 3);
  CHECK(o.disk.next(p0) == 3);
  CHECK(o.disk.next(p1) == 0);
  CHECK(offsets_of(p0, seen) == upto(3));
  CHECK(c.positions() == std::vector<sl::position>{{p0, sl::offset{3}}});
  c.close();
  CHECK(o.world.wrong() == "");
}

TEST_CASE("at_least_once: what was handled is stored before its partition is given back, not where it was lost") {
  bool const lost = GENERATE(true, false);
  outside o;
  std::vector<effect> seen;
  auto c = o.start<sl::at_least_once>();
  o.world.assign({p0});
  o.world.produce(p0, 3);
  o.disk.advances = {{act::postpone}};
  c.step(recorder{seen});
  o.world.revoke({p0}, lost);
  c.step(recorder{seen});
  CHECK(o.disk.next(p0) == (lost ? 0 : 3));
  CHECK(o.disk.released == (lost ? 0 : 1));
  c.close();
  CHECK(o.world.wrong() == "");
}

TEST_CASE("at_least_once: a duel ends in two_owners, told with the partition") {
  outside o;
  std::vector<effect> seen;
  auto c = o.start<sl::at_least_once>();
  o.world.assign({p0});
  o.world.produce(p0, 3);
  for (int i = 0; i < 8; ++i) o.disk.advances.push_back({act::refuse});
  std::string told;
  auto const begin = o.world.now;
  for (int i = 0; i < 40 && told.empty(); ++i) try {
      c.step(recorder{seen}, 10s);
    } catch (sl::error const& e) {
      CHECK(e.code() == sl::errc::two_owners);
      told = e.what();
    }
  CHECK_THAT(told, Catch::Matchers::ContainsSubstring("t/0"));
  CHECK(c.statistics().refused == 8);
  CHECK(o.world.now - begin > 5s);  // waits that grow
  steps(c, recorder{seen}, 20);
  CHECK(o.disk.next(p0) == 3);  // and goes on once the other is gone
}
