#include <sluice/rate_limit/shed_load.hpp>

#include <limits>

#include "catch.hpp"
#include "rate_limit/lanes.hpp"
#include "scripted_consumer.hpp"
#include "seed.hpp"

using namespace lanes;
using policy = sl::shed_load;

static_assert(sl::policy_for<policy, sl::rate_limit_slot> && sl::must_be_configured<policy>);
static_assert(sl::rate_limit<policy::runtime>);
static_assert(policy::drops_records);

TEST_CASE("everything is read, so much is kept") {
  auto limit = policy::open({.records_per_second = 100}, {});
  set const two({1000, 1000});
  CHECK(ask(limit, 0s, two) == counts(2, sl::no_limit));
  CHECK(limit.keep(at(0s), two.loads[0], 30) == 30);
  CHECK(limit.keep(at(0s), two.loads[1], 1000) == 100);  // each partition has its own
  CHECK(limit.keep(at(0s), two.loads[0], 1000) == 70);
  CHECK(limit.keep(at(0s), two.loads[0], 1000) == 0);
  CHECK(limit.keep(at(500ms), two.loads[0], 1000) == 50);
  CHECK(limit.keep(at(10s), two.loads[0], 1000) == 100);
}

TEST_CASE("in any time no more is kept than rate x time and the burst, and no less while there is enough") {
  std::mt19937 random(seed());
  double const rate = 250;
  auto limit = policy::open({.records_per_second = rate}, {});
  std::vector<std::pair<double, double>> kept;
  std::chrono::nanoseconds now{0};
  double all = 0;
  for (int step = 0; step < 1000; ++step) {
    now += std::chrono::microseconds(random() % 400'000);
    set one({unknown});
    one.loads[0].assignment = 1 + random() % 2;
    if (random() % 2) ask(limit, now, one);
    auto const n = static_cast<double>(limit.keep(at(now), one.loads[0], 1000));
    kept.emplace_back(std::chrono::duration<double>(now).count(), n);
    all += n;
  }
  for (std::size_t from = 0; from < kept.size(); ++from) {
    double in = 0;
    for (std::size_t to = from; to < kept.size(); ++to) {
      in += kept[to].second;
      REQUIRE(in <= rate * (kept[to].first - kept[from].first) + rate + 1e-6);
    }
  }
  CHECK(all > rate * kept.back().first - 1);
}

TEST_CASE("a partition that is lost and claimed again goes on where it was") {
  auto limit = policy::open({.records_per_second = 100}, {});
  set const one({unknown});
  ask(limit, 0s, one);
  CHECK(limit.keep(at(0s), one.loads[0], 1000) == 100);
  ask(limit, 100ms, set());
  ask(limit, 200ms, one);
  CHECK(limit.keep(at(200ms), one.loads[0], 1000) == 20);
}

TEST_CASE("a batch of an interval above a second keeps what comes in it") {
  auto limit = policy::open({.records_per_second = 100}, every(10s));
  set const one({unknown});
  for (int i = 1; i <= 3; ++i) CHECK(limit.keep(at(i * 10s), one.loads[0], 5000) == 1000);
}

TEST_CASE("a rate that is none is refused with its key") {
  auto const bad = GENERATE(0., -1., std::numeric_limits<double>::quiet_NaN());
  CHECK(refusal(policy{.records_per_second = bad}).find("shed_load.records_per_second is ") != std::string::npos);
}

TEST_CASE("a partition all of whose records are dropped is advanced, and the handler does not see it") {
  using namespace scripted;
  outside o{3};
  std::vector<effect> seen;
  auto c = o.start<sl::at_most_once>(policy{.records_per_second = 2});
  o.world.assign({p0, p1, p2});
  auto const handler = [&](sl::batch const& b) {
    for (auto const part : b.partitions()) CHECK(part.size() > 0);
    recorder{seen}(b);
  };
  c.step(handler);
  for (int round = 0; round < 6; ++round) {
    auto const dry = std::array{p0, p1, p2}[static_cast<std::size_t>(round) % 3];
    o.world.pass(10s);
    seen.clear();
    o.world.produce(dry, 5);
    drain_log(c, handler);
    auto const end = o.world.high(dry);
    CHECK(offsets_of(dry, seen) == std::vector<std::int64_t>{end - 2, end - 1});  // the newest
    seen.clear();
    for (auto const& of : {p0, p1, p2}) o.world.produce(of, 1);
    drain_log(c, handler);
    for (auto const& of : {p0, p1, p2}) {
      CHECK(offsets_of(of, seen) ==
            (of == dry ? std::vector<std::int64_t>{} : std::vector<std::int64_t>{o.world.high(of) - 1}));
      CHECK(o.disk.next(of) == o.world.high(of));
    }
  }
  CHECK(c.statistics().shed == 6 * 4);
  c.close();
  CHECK(o.world.wrong() == "");
}
