#include <sluice/on_failure/skip.hpp>

#include "catch.hpp"
#include "scripted_consumer.hpp"

using namespace scripted;

TEST_CASE("skip, each: one record, recorded with the advance over it") {
  outside o;
  o.world.produce(p0, 4);
  auto c = o.start<sl::at_least_once>(sl::skip{});
  o.world.assign({p0});
  std::vector<std::int64_t> seen;
  auto handler = sl::each([&](sl::record r) {
    if (r.offset().value() % 2) throw std::runtime_error("odd");
    seen.push_back(r.offset().value());
    CHECK(o.disk.letters.empty());
  });
  c.step(handler);
  CHECK(seen == std::vector<std::int64_t>{0, 2});
  REQUIRE(o.disk.letters.size() == 2);
  CHECK(o.disk.letters[0].at == 1);
  CHECK(o.disk.letters[1].at == 3);
  CHECK(o.disk.letters[0].error == "odd");
  CHECK(o.disk.letters[0].attempts == 1);
  CHECK(o.disk.letters[0].place == "");
  CHECK(c.statistics().skipped == 2);
  CHECK(c.statistics().dead_letters == 0);
}

TEST_CASE("skip: a batch handler skips the batch; something that is no exception, too") {
  outside o;
  o.world.produce(p0, 3);
  auto c = o.start<sl::at_least_once>(sl::skip{});
  o.world.assign({p0});
  auto const done = c.step([](sl::batch const&) { throw 42; });
  CHECK(done.what == sl::step_result::handled);
  CHECK(done.records == 3);  // done with
  CHECK(o.disk.letters.size() == 3);
  CHECK(o.disk.next(p0) == 3);
}

TEST_CASE("skip: where the advance is refused nothing was skipped") {
  outside o;
  o.world.produce(p0, 3);
  auto c = o.start<sl::at_least_once>(sl::skip{});
  o.world.assign({p0});
  o.disk.advances = {{act::refuse}};
  int calls = 0;
  auto const handler = [&](sl::batch const&) {
    if (++calls == 1) throw std::runtime_error("poison");
  };
  steps(c, handler, 5);
  CHECK(calls == 2);
  CHECK(o.disk.letters.empty());
  CHECK(o.disk.next(p0) == 3);
}
