#include <sluice/delivery/at_most_once.hpp>

#include "catch.hpp"
#include "scripted_consumer.hpp"

using namespace scripted;

namespace {
/// Fails the test where a record is handled that is not stored yet, or comes twice.
struct strict {
  outside& o;
  std::vector<effect>& seen;
  void operator()(sl::batch const& b) const {
    for (auto const& r : b) {
      CHECK(o.disk.next({std::string{r.topic()}, r.partition()}) > r.offset().value());
      CHECK(std::ranges::find(seen, place_of(r)) == seen.end());
      seen.push_back(place_of(r));
    }
  }
};
}  // namespace

TEST_CASE("at_most_once: stored first, then handled, once") {
  outside o{2};
  std::vector<effect> seen;
  auto c = o.start<sl::at_most_once>();
  o.world.assign({p0, p1});
  o.world.produce(p0, 4);
  o.world.produce(p1, 4);
  drain_log(c, strict{o, seen});
  CHECK(seen.size() == 8);
  CHECK(c.statistics().lost == 0);
  c.close();
  CHECK(o.world.wrong() == "");
}

TEST_CASE("at_most_once: what is refused or unknown is not handled, and counted; the other partition is") {
  auto const what = GENERATE(act::refuse, act::lose, act::unheard, act::late);
  outside o{2};
  std::vector<effect> seen;
  auto c = o.start<sl::at_most_once>();
  o.world.assign({p0, p1});
  o.world.produce(p0, 4);
  o.world.produce(p1, 4);
  o.disk.advances = {{what, p0}};
  o.disk.settles = {{act::lose}, {act::lose}};
  auto const done = c.step(strict{o, seen});
  CHECK(done.what == sl::step_result::handled);
  CHECK(done.records == 4);
  CHECK(offsets_of(p0, seen).empty());
  CHECK(offsets_of(p1, seen) == upto(4));
  CHECK(c.statistics().lost == 4);
  CHECK(c.statistics().refused + c.statistics().unknown == 1);
  o.world.produce(p0, 1);
  steps(c, strict{o, seen}, 10);
  // what was never applied is read again; what was, is lost
  bool const applied = what == act::unheard || what == act::late;
  CHECK(offsets_of(p0, seen) == upto(5, applied ? 4 : 0));
  c.close();
  CHECK(o.world.wrong() == "");
}

TEST_CASE("at_most_once: an unknown advance that settles as applied is handled") {
  outside o;
  std::vector<effect> seen;
  auto c = o.start<sl::at_most_once>();
  o.world.assign({p0});
  o.world.produce(p0, 4);
  o.disk.advances = {{act::unheard}};
  c.step(strict{o, seen});
  CHECK(seen.size() == 4);
  CHECK(o.disk.settled == 1);
}

TEST_CASE("at_most_once: postponed is read again, and lost to nobody") {
  outside o;
  std::vector<effect> seen;
  auto c = o.start<sl::at_most_once>();
  o.world.assign({p0});
  o.world.produce(p0, 4);
  o.disk.advances = {{act::postpone}};
  c.step(strict{o, seen});
  CHECK(seen.empty());
  steps(c, strict{o, seen}, 5);
  CHECK(offsets_of(p0, seen) == upto(4));
  CHECK(c.statistics().lost == 0);
}

TEST_CASE("at_most_once: a batch whose handler threw is gone; step goes on behind it") {
  outside o;
  std::vector<effect> seen;
  auto c = o.start<sl::at_most_once>();
  o.world.assign({p0});
  o.world.produce(p0, 4);
  CHECK_THROWS_WITH(c.step([](sl::batch const&) { throw std::runtime_error("poison"); }), "poison");
  CHECK(c.statistics().lost == 4);
  o.world.produce(p0, 2);
  drain_log(c, strict{o, seen});
  CHECK(offsets_of(p0, seen) == upto(6, 4));
  c.close();
  CHECK(o.world.wrong() == "");
}

TEST_CASE("at_most_once: with each, only the failing record and those behind it in the batch are lost") {
  outside o;
  std::vector<std::int64_t> seen;
  auto c = o.start<sl::at_most_once>();
  o.world.assign({p0});
  o.world.produce(p0, 5);
  auto handler = sl::each([&](sl::record r) {
    if (r.offset().value() == 2) throw std::runtime_error("poison");
    seen.push_back(r.offset().value());
  });
  CHECK_THROWS(c.step(handler));
  CHECK(c.statistics().lost == 3);
  o.world.produce(p0, 1);
  drain_log(c, handler);
  CHECK(seen == std::vector<std::int64_t>{0, 1, 5});
}

TEST_CASE("at_most_once: a store that is down stores nothing, so nothing is lost") {
  outside o;
  std::vector<effect> seen;
  auto c = o.start<sl::at_most_once>();
  o.world.assign({p0});
  o.world.produce(p0, 3);
  o.disk.advances = {{act::down}};
  CHECK(code_of([&] { c.step(strict{o, seen}); }) == sl::errc::store_unavailable);
  steps(c, strict{o, seen}, 3);
  CHECK(offsets_of(p0, seen) == upto(3));
}

TEST_CASE("at_most_once: skip counts, a dead letter is best effort") {
  outside o;
  o.world.produce(p0, 3);
  auto handler = sl::each([&](sl::record r) {
    if (r.offset().value() == 1) throw std::runtime_error("poison");
  });
  SECTION("skip") {
    auto c = o.start<sl::at_most_once>(sl::skip{});
    o.world.assign({p0});
    c.step(handler);
    CHECK(c.statistics().skipped == 1);
    CHECK(o.disk.letters.empty());
  }
  SECTION("a letter, with the next advance of its partition") {
    auto c = o.start<sl::at_most_once>(sl::dead_letter_table{});
    o.world.assign({p0});
    c.step(handler);
    o.world.produce(p0, 1);
    c.step(handler);
    REQUIRE(o.disk.letters.size() == 1);
    CHECK(o.disk.letters[0].at == 1);
  }
  SECTION("a letter that can't be kept does not bring the record back") {
    auto c = o.start<sl::at_most_once>(sl::dead_letter_table{});
    o.world.assign({p0});
    o.disk.letters_fail = true;
    int calls = 0;
    auto counting = sl::each([&](sl::record r) {
      ++calls;
      if (r.offset().value() == 1) throw std::runtime_error("poison");
    });
    drain_log(c, counting);
    CHECK(calls == 3);
  }
}
