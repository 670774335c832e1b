#include <sluice/rate_limit/pid_backpressure.hpp>

#include <algorithm>
#include <limits>

#include "catch.hpp"
#include "rate_limit/lanes.hpp"
#include "seed.hpp"

using namespace lanes;
using policy = sl::pid_backpressure;

static_assert(sl::policy_for<policy, sl::rate_limit_slot> && !sl::must_be_configured<policy>);
static_assert(sl::rate_limit<policy::runtime>);

namespace {
/// A batch, and what it took.
void batch(policy::runtime& limit, std::chrono::nanoseconds start, set const& of, counts const& took,
           std::chrono::nanoseconds work, std::chrono::nanoseconds late = 0s) {
  limit.taken(at(start), of.loads, took);
  limit.completed({.records = sum(took), .processing_delay = work, .scheduling_delay = late});
}
}  // namespace

TEST_CASE("no limit until the first estimate, unless there is an initial rate") {
  set const two({1000, unknown});
  SECTION("none") {
    auto limit = policy::open({}, {});
    CHECK(limit.rate() == 0);
    CHECK(ask(limit, 0s, two) == counts(2, sl::no_limit));
    batch(limit, 0s, two, {500, 500}, 500ms);  // a start, no estimate yet
    CHECK(ask(limit, 1s, two) == counts(2, sl::no_limit));
    batch(limit, 1s, two, {500, 500}, 500ms);
    CHECK(limit.rate() == Approx(2000));
    CHECK(ask(limit, 2s, two) == counts{1000, 1000});
  }
  SECTION("a total, for all partitions together") {
    auto limit = policy::open({.initial_rate = 300}, {});
    CHECK(limit.rate() == 300);
    CHECK(ask(limit, 0s, two) == counts{150, 150});
    CHECK(sum(ask(limit, 0s, set({5, 500, 5000}))) == 300);
  }
  SECTION("capped from the first batch on") {
    auto limit = policy::open({.max_rate_per_partition = 40}, {});
    CHECK(ask(limit, 0s, two) == counts{40, 40});
    CHECK(ask(policy::open({.initial_rate = 50, .max_rate_per_partition = 40}, {}), 0s, two) == counts{25, 25});
  }
}

TEST_CASE("the interval is that of the batches, or its own where they have none") {
  CHECK(policy::wanted_interval({}) == 1s);
  CHECK(policy::wanted_interval({.interval = 250ms}) == 250ms);
  set const one({1000});
  CHECK(ask(policy::open({.initial_rate = 100}, every(4s)), 0s, one) == counts{400});
  CHECK(ask(policy::open({.interval = 500ms, .initial_rate = 100}, {}), 0s, one) == counts{50});
}

TEST_CASE("shared by lag") {
  auto limit = policy::open({.initial_rate = 100}, {});
  CHECK(ask(limit, 0s, set({700, 300})) == counts{70, 30});
  CHECK(ask(limit, 0s, set({1, 999'999})) == counts{1, 99});
  CHECK(ask(limit, 0s, set({0, 10, -5})) == counts{0, 100, 0});
  CHECK(ask(limit, 0s, set({unknown, 10, 30, unknown, 0})) == counts{25, 13, 37, 25, 0});  // 12.5 and 37.5
  CHECK(ask(limit, 0s, set({unknown, 0})) == counts{100, 0});
  CHECK(ask(limit, 0s, set({0, 0})) == counts{0, 0});
  CHECK(ask(limit, 0s, set()).empty());
  CHECK(ask(limit, 0s, set(std::vector<std::optional<std::int64_t>>(300, 7))) == counts(300, 1));  // one at least
}

TEST_CASE("what a cap cuts off goes to the others") {
  auto limit = policy::open({.initial_rate = 100, .max_rate_per_partition = 40}, {});
  CHECK(ask(limit, 0s, set({9000, 10, 30})) == counts{40, 20, 40});
  CHECK(ask(limit, 0s, set({9000, 9000})) == counts{40, 40});
}

TEST_CASE("each batch: no more than the total and the cap, one for each partition that lags, nothing without lag") {
  std::mt19937 random(seed());
  for (int round = 0; round < 200; ++round) {
    auto const rate = 100. + static_cast<double>(random() % 100'000) / 7;
    auto const cap = random() % 2 ? 0. : 0.3 + static_cast<double>(random() % 5000) / 9;
    auto limit = policy::open({.initial_rate = rate, .max_rate_per_partition = cap}, every(700ms));
    std::uint64_t assignment = 1;
    for (int i = 0; i < 10; ++i) {
      set lanes;
      auto const n = 1 + random() % 30;
      if (random() % 3 == 0) ++assignment;
      for (unsigned p = 0; p < n; ++p) {
        auto const lag = random() % 5 == 0   ? unknown
                         : random() % 5 == 0 ? std::optional<std::int64_t>(0)
                                             : std::optional<std::int64_t>(random() >> (random() % 32));
        lanes.add(static_cast<std::int32_t>(p), assignment, lag);
      }
      auto const quota = take_all(limit, i * 1s, lanes);
      auto const lagging =
          static_cast<std::size_t>(std::ranges::count_if(lanes.loads, [](auto const& l) { return l.lag != 0; }));
      CHECK(sum(quota) <= std::max(lagging, static_cast<std::size_t>(rate * 0.7 + 1)));
      if (cap == 0 && lagging > 0) CHECK(sum(quota) >= static_cast<std::size_t>(rate * 0.7));
      for (std::size_t k = 0; k < n; ++k) {
        if (lanes.loads[k].lag == 0) CHECK(quota[k] == 0);
        if (lanes.loads[k].lag != 0 && (cap == 0 || cap * 0.7 >= 1)) CHECK(quota[k] >= 1);
        if (cap > 0) CHECK(quota[k] <= static_cast<std::size_t>(cap * 0.7 + 1));
      }
    }
  }
}

TEST_CASE("fractions are carried on: nothing is lost over time, of the total, the shares and the cap") {
  SECTION("total and shares") {
    auto limit = policy::open({.initial_rate = 100.7}, every(100ms));  // 10.07 a batch
    set const three({50, 30, 21});
    counts all(3);
    for (int i = 1; i <= 5000; ++i) {
      auto const quota = take_all(limit, i * 100ms, three);
      for (std::size_t k = 0; k < 3; ++k) {
        all[k] += quota[k];
        REQUIRE(std::abs(static_cast<double>(all[k]) - i * 10.07 * static_cast<double>(*three.loads[k].lag) / 101) <=
                1.001);
      }
      REQUIRE(std::abs(static_cast<double>(sum(all)) - i * 10.07) < 1.001);
    }
  }
  SECTION("a cap below one record a batch") {
    auto limit = policy::open({.initial_rate = 1000, .max_rate_per_partition = 2.5}, every(100ms));
    set const two({1000, unknown});
    counts all(2);
    for (int i = 0; i < 100; ++i) {
      auto const quota = take_all(limit, i * 100ms, two);
      for (std::size_t k = 0; k < 2; ++k) all[k] += quota[k];
    }
    CHECK(all == counts{25, 25});  // one in every fourth batch
  }
  SECTION("a lane that goes away and comes back goes on") {
    auto limit = policy::open({.initial_rate = 100, .max_rate_per_partition = 5}, every(100ms));
    std::size_t all = 0;
    for (int i = 0; i < 40; ++i) {
      set lanes;
      if (i % 4 != 0) lanes.add(0, static_cast<std::uint64_t>(i), 100);
      lanes.add(1, 1, 100);
      auto const quota = take_all(limit, i * 100ms, lanes);
      if (i % 4 != 0) all += quota[0];
    }
    CHECK(all == 15);  // 30 batches of half a record
  }
}

TEST_CASE("asking twice for one batch changes nothing") {
  auto limit = policy::open({.initial_rate = 10.5, .max_rate_per_partition = 4.3}, {});
  auto same = limit;
  set const lanes({5, 9, unknown});
  for (int i = 0; i < 20; ++i) {
    for (int k = 0; k < i % 4; ++k) ask(limit, i * 1s, lanes);
    CHECK(take_all(limit, i * 1s, lanes) == take_all(same, i * 1s, lanes));
  }
}

TEST_CASE("the wall clock may jump, and the monotonic one stand still: estimates go on") {
  auto limit = policy::open({}, {});
  set const one({100'000});
  using wall = sl::wall_time;
  auto const done = [&](std::chrono::milliseconds time, std::size_t records) {
    limit.taken(at(0s), one.loads, counts{records});
    limit.completed({.time = wall{time}, .records = records, .processing_delay = 1s, .scheduling_delay = {}});
  };
  done(1'000'000s, 500);
  done(1'000s, 700);  // the wall clock went back by days
  CHECK(limit.rate() == Approx(700));
  done(1'000s, 900);
  CHECK(limit.rate() == Approx(900));
}

TEST_CASE("a handler that becomes ten times slower: batches are shorter than the interval again within ten") {
  auto const interval = 1s;
  auto const backlog = GENERATE(as<std::int64_t>{}, 10'000'000, 20'000);
  auto limit = policy::open({.initial_rate = 1000}, every(interval));
  std::chrono::nanoseconds now{0}, cost = 100us, due{0};
  std::int64_t lag = backlog;
  double rate_before = 0;
  std::chrono::nanoseconds work{0};
  for (int i = 0; i < 50; ++i) {
    if (i == 20) rate_before = limit.rate(), cost *= 10;
    due += interval;
    now = std::max(now, due);
    set const three({lag / 2, lag / 4, lag / 4});
    auto const quota = ask(limit, now, three);
    counts took;
    for (std::size_t k = 0; k < 3; ++k)
      took.push_back(std::min(quota[k], static_cast<std::size_t>(*three.loads[k].lag)));
    work = static_cast<std::int64_t>(sum(took)) * cost;
    batch(limit, now, three, took, work, now - due);
    now += work;
    lag += 5000 - static_cast<std::int64_t>(sum(took));
    lag = std::max<std::int64_t>(lag, 0);
    if (i >= 30) CHECK(work <= interval);
  }
  CHECK(rate_before > 4000);
  CHECK(limit.rate() <= 1010);
  CHECK(limit.rate() >= 100);
}

TEST_CASE("a configuration that is none is refused with its key") {
  auto const nan = std::numeric_limits<double>::quiet_NaN();
  auto const names = [](policy const& p, std::string const& key) {
    return refusal(p).find("pid_backpressure." + key + " is ") != std::string::npos;
  };
  CHECK(refusal(policy{}).empty());
  CHECK(names({.interval = -5ms, .max_rate_per_partition = 5}, "interval"));
  CHECK(names({.initial_rate = -1}, "initial_rate"));
  CHECK(names({.initial_rate = nan}, "initial_rate"));
  CHECK(names({.proportional = nan}, "proportional"));
  CHECK(names({.integral = -0.1}, "integral"));
  CHECK(names({.derivative = -1}, "derivative"));
  CHECK(names({.min_rate = 0}, "min_rate"));
  CHECK(names({.max_rate_per_partition = -3}, "max_rate_per_partition"));
  CHECK(names({.max_rate_per_partition = nan}, "max_rate_per_partition"));
}
