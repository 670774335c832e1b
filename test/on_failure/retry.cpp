#include <sluice/on_failure/retry.hpp>

#include "catch.hpp"
#include "scripted_consumer.hpp"

using namespace scripted;

namespace {
struct told {
  using slot = sl::observer_slot;
  std::vector<sl::retry_event>* retries = nullptr;
  void on_retry(sl::retry_event const& e) { retries->push_back(e); }
};
}  // namespace

TEST_CASE("retry: step says retrying and when; the wait doubles up to the ceiling; then it stops") {
  outside o;
  o.world.produce(p0, 2);
  std::vector<sl::retry_event> retries;
  auto c = o.start<sl::at_least_once>(sl::retry<>{.times = 4, .backoff = 100ms, .ceiling = 300ms}, told{&retries});
  o.world.assign({p0});
  int calls = 0;
  auto const failing = [&](sl::batch const&) {
    ++calls;
    throw std::runtime_error("not now");
  };
  std::vector<std::chrono::milliseconds> waits;
  for (int i = 0; i < 4; ++i) {
    auto const r = c.step(failing);
    REQUIRE(r.what == sl::step_result::retrying);
    waits.push_back(std::chrono::duration_cast<std::chrono::milliseconds>(r.due - o.world.now));
    CHECK(c.step(failing).what == sl::step_result::retrying);  // not yet due: not called
    CHECK(calls == i + 1);
    o.world.pass(r.due - o.world.now);
  }
  CHECK(waits == std::vector<std::chrono::milliseconds>{100ms, 200ms, 300ms, 300ms});
  CHECK_THROWS_WITH(c.step(failing), "not now");
  CHECK(calls == 5);
  CHECK(c.statistics().retries == 4);
  REQUIRE(retries.size() == 4);
  CHECK(retries[3].attempts == 4);
  CHECK(retries[0].error == "not now");
  CHECK_FALSE(retries[0].store_failed);
}

TEST_CASE("retry: the group is served meanwhile, and a revoked batch is not tried again") {
  outside o;
  o.world.produce(p0, 2);
  auto c = o.start<sl::at_least_once>(sl::retry<>{});
  o.world.assign({p0});
  int calls = 0;
  auto const failing = [&](sl::batch const&) {
    ++calls;
    throw std::runtime_error("not now");
  };
  CHECK(c.step(failing).what == sl::step_result::retrying);
  o.world.revoke({p0});
  steps(c, failing, 5);
  CHECK(calls == 1);
  CHECK(o.disk.released == 1);
  c.close();
  CHECK(o.world.wrong() == "");
}

TEST_CASE(
    "retry: what is in hand is handled before its partition goes on elsewhere, also where that is not recorded at "
    "once") {
  bool const recorded = GENERATE(true, false);
  outside o;
  o.world.produce(p0, 5);
  o.disk.records_down = recorded ? 0 : 1;
  auto c = o.start<sl::at_least_once>(sl::retry<>{});
  o.world.assign({p0});
  bool fails = true;
  std::vector<effect> seen;
  auto const handler = [&](sl::batch const& b) {
    if (std::exchange(fails, false)) throw std::runtime_error("not now");
    recorder{seen}(b);
  };
  CHECK(c.step(handler).what == sl::step_result::retrying);
  o.world.recreate(p0);
  o.world.produce(p0, 2);
  o.world.tell(sl::client::out_of_range{p0});
  steps(c, handler, 5);
  o.world.produce(p0, 1);
  steps(c, handler, 5);
  CHECK(offsets_of(p0, seen) == std::vector<std::int64_t>{0, 1, 2, 3, 4, 2});  // then the log's end
  CHECK(o.disk.rewinds.size() == 1);
  CHECK(c.statistics().refused == 0);
  CHECK(o.disk.next(p0) == 3);
}

TEST_CASE("retry, each: only the failing record is called again") {
  outside o;
  o.world.produce(p0, 5);
  std::vector<sl::retry_event> retries;
  auto c = o.start<sl::at_least_once>(sl::retry<>{.times = 3, .backoff = 1ms}, told{&retries});
  o.world.assign({p0});
  std::vector<std::int64_t> calls;
  auto handler = sl::each([&](sl::record r) {
    calls.push_back(r.offset().value());
    if (r.offset().value() == 2 && calls.size() < 5) throw std::runtime_error("twice");
  });
  steps(c, handler, 5, 10ms);
  CHECK(calls == std::vector<std::int64_t>{0, 1, 2, 2, 2, 3, 4});
  CHECK(o.disk.next(p0) == 5);
  REQUIRE(retries.size() == 2);
  CHECK(retries[0].of == p0);
  CHECK(retries[0].at == sl::offset{2});
}

TEST_CASE("retry: the store's failures are waited out, told as the store's, and never used up") {
  outside o;
  o.world.produce(p0, 1);
  std::vector<sl::retry_event> retries;
  auto c = o.start<sl::at_least_once>(sl::retry<sl::skip>{.times = 1, .then = {}}, told{&retries});
  o.world.assign({p0});
  for (int i = 0; i < 6; ++i) o.disk.advances.push_back({act::down});
  std::vector<effect> seen;
  steps(c, recorder{seen}, 30, 10s);
  CHECK(seen.size() == 1);
  CHECK(o.disk.next(p0) == 1);
  CHECK(o.disk.letters.empty());
  REQUIRE(retries.size() == 6);
  CHECK(retries[0].store_failed);
}

TEST_CASE("retry: what stays so until somebody mends it is thrown, and is no record's fault") {
  outside o;
  o.world.produce(p0, 1);
  auto c = o.start<sl::at_least_once>(sl::retry<sl::skip>{.times = 1, .then = {}});
  o.world.assign({p0});
  auto const what = GENERATE(act::damaged, act::fenced);
  o.disk.advances.push_back({what});
  std::vector<effect> seen;
  CHECK_THROWS_WITH(steps(c, recorder{seen}, 5, 10s),
                    what == act::damaged ? "sluice: the store is damaged" : "sluice: another instance has come");
  steps(c, recorder{seen}, 5, 10s);
  CHECK(seen.size() == 1);
  CHECK(o.disk.next(p0) == 1);
  CHECK(o.disk.letters.empty());
}
