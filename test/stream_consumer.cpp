#include <sluice/stream_consumer.hpp>

#include "catch.hpp"
#include "scripted_consumer.hpp"

using namespace scripted;

TEST_CASE("first claim is stored before the first record; a restart resumes") {
  outside o{2};
  o.world.produce(p0, 5);
  o.world.produce(p1, 3);
  std::vector<effect> seen;
  {
    auto c = o.start<sl::at_least_once>();
    o.world.assign({p0, p1});
    c.step([&](sl::batch const& b) {
      CHECK(o.disk.known.at("t") == 2);
      CHECK(o.disk.rows.contains(p1));
      recorder{seen}(b);
    });
    CHECK(c.statistics().records == 8);
    CHECK(c.positions() == std::vector<sl::position>{{p0, sl::offset{5}}, {p1, sl::offset{3}}});
  }
  CHECK(offsets_of(p0, seen) == upto(5));
  CHECK(offsets_of(p1, seen) == upto(3));
  CHECK(o.disk.next(p0) == 5);
  CHECK(o.disk.released == 2);
  o.world.produce(p0, 2);
  {
    auto c = o.start<sl::at_least_once>();
    o.world.assign({p0, p1});
    drain_log(c, recorder{seen});
  }
  CHECK(offsets_of(p0, seen) == upto(7));
  CHECK(offsets_of(p1, seen) == upto(3));
  CHECK(o.world.wrong() == "");
}

TEST_CASE("what is dropped from the hand does not count towards the next batch's bytes") {
  outside o{2};
  std::vector<effect> seen;
  auto c = o.start<sl::at_least_once>(sl::micro_batch{.max_bytes = 100});
  o.world.assign({p0, p1});
  c.step(recorder{seen});
  o.world.produce(p0, std::string(200, 'x'));
  for (int i = 0; i < 3; ++i) {
    CHECK_THROWS(c.step([](sl::batch const&) { throw std::runtime_error("no"); }));
    o.world.revoke({p0, p1});
    o.world.assign({p0, p1});
  }
  drain_log(c, recorder{seen});
  CHECK(offsets_of(p0, seen) == upto(1));
  c.close();
  CHECK(o.world.wrong() == "");
}

TEST_CASE("drain with a handled batch whose partitions go meanwhile hands nothing over") {
  outside o{2};
  o.world.produce(p0, 2);
  std::vector<effect> seen;
  auto c = o.start<sl::at_least_once>();
  o.world.assign({p0, p1});
  o.disk.advances = {{act::postpone}};
  CHECK(c.step(recorder{seen}).what == sl::step_result::retrying);
  o.world.produce(p1, 2);
  o.disk.advances = {{act::postpone}};
  o.world.revoke({p0, p1}, true);
  o.world.assign({p1});
  CHECK(c.drain(1s) == sl::close_result::drained);
  CHECK(seen.size() == 2);
  CHECK(o.world.wrong() == "");
}

TEST_CASE("seek outlives a store that is down") {
  outside o;
  o.world.produce(p0, 10);
  std::vector<effect> seen;
  auto c = o.start<sl::at_least_once>();
  o.world.assign({p0});
  drain_log(c, recorder{seen});
  seen.clear();
  o.disk.records_down = 2;
  c.seek(p0, sl::offset{4});
  steps(c, recorder{seen}, 20);
  CHECK(offsets_of(p0, seen) == upto(10, 4));
  CHECK(o.disk.rewinds.size() == 1);
}
