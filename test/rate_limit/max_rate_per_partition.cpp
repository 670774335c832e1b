#include <sluice/rate_limit/max_rate_per_partition.hpp>

#include <limits>
#include <map>

#include "catch.hpp"
#include "rate_limit/lanes.hpp"
#include "seed.hpp"

using namespace lanes;
using policy = sl::max_rate_per_partition;

static_assert(sl::policy_for<policy, sl::rate_limit_slot> && sl::must_be_configured<policy>);
static_assert(sl::rate_limit<policy::runtime>);

TEST_CASE("3 partitions x 4 s x 100/s are 1,200 records, whatever the interval is") {
  for (auto const interval : {1ms, 3ms, 7ms, 10ms, 125ms, 333ms, 1000ms, 1700ms, 4000ms}) {
    INFO("interval " << interval.count() << " ms");
    auto limit = policy::open({.records_per_second = 100}, every(interval));
    set const three({9, 9, 9});
    auto const batches = 4s / interval;
    std::size_t all = 0;
    for (int i = 0; i < batches; ++i) all += sum(take_all(limit, i * interval, three));
    auto const exact = static_cast<std::size_t>(interval.count() * batches / 10);  // 100/s is one in 10 ms
    CHECK(all == 3 * exact);
    if (4000 % interval.count() == 0) CHECK(all == 1200);
  }
}

TEST_CASE("a decimal rate is meant exactly") {
  auto const [rate, in_1000_s] =
      GENERATE(std::pair{33.3, 33'300u}, std::pair{0.1, 100u}, std::pair{1.1, 1'100u}, std::pair{2.675, 2'675u},
               std::pair{0.001, 1u}, std::pair{1e9 / 1e3, 1'000'000'000u});
  auto limit = policy::open({.records_per_second = rate}, every(250ms));
  std::size_t all = 0;
  for (int i = 0; i < 4000; ++i) all += take_all(limit, i * 250ms, set({unknown}))[0];
  CHECK(all == in_1000_s);
}

TEST_CASE("with an interval each batch gets its own quota, and fractions go on") {
  auto limit = policy::open({.records_per_second = 2.5}, every(1s));
  set const one({unknown});
  std::vector<std::size_t> got;
  for (int i = 0; i < 6; ++i) got.push_back(take_all(limit, i * 1s, one)[0]);
  CHECK(got == counts{2, 3, 2, 3, 2, 3});

  SECTION("what a batch leaves is not saved") {
    for (int i = 0; i < 10; ++i) limit.taken(at(10s), one.loads, counts{0});
    CHECK(take_all(limit, 20s, one)[0] + take_all(limit, 21s, one)[0] == 5);
  }
  SECTION("asking twice for one batch changes nothing") {
    for (int i = 0; i < 10; ++i) CHECK(ask(limit, 20s, one)[0] == 2);
    CHECK(take_all(limit, 20s, one)[0] == 2);
    CHECK(take_all(limit, 21s, one)[0] == 3);
  }
}

TEST_CASE("without an interval in any time no more than rate x time and the burst of one second, over any claims") {
  std::mt19937 random(seed());
  for (double const rate : {0.5, 3., 100., 12'345.678}) {
    auto limit = policy::open({.records_per_second = rate}, {});
    auto const burst = std::max(1., rate);
    std::map<std::int32_t, std::vector<std::pair<double, double>>> log;  // partition: when, how many
    std::chrono::nanoseconds now{0};
    std::uint64_t assignment = 1;
    std::vector<std::int32_t> ours{0, 1, 2};
    for (int step = 0; step < 400; ++step) {
      auto const kind = random() % 20;
      now += kind == 0  ? 5s
             : kind < 5 ? 0ns
                        : std::chrono::nanoseconds(
                              static_cast<std::int64_t>(static_cast<double>(random() % 2'000'000'000) / rate));
      if (random() % 15 == 0) {
        ++assignment;
        ours = {0, 1, 2};
        std::shuffle(ours.begin(), ours.end(), random);
        ours.resize(1 + random() % 3);
      }
      set lanes;
      for (auto const p : ours) lanes.add(p, assignment);
      auto took = ask(limit, now, lanes);
      if (random() % 2) now += std::chrono::microseconds(random() % 1000);  // taking takes time
      if (random() % 3 == 0)
        for (auto& n : took) n = random() % (n + 1);
      limit.taken(at(now), lanes.loads, took);
      for (std::size_t i = 0; i < ours.size(); ++i)
        log[ours[i]].emplace_back(std::chrono::duration<double>(now).count(), static_cast<double>(took[i]));
    }
    for (auto const& [partition, taken] : log)
      for (std::size_t from = 0; from < taken.size(); ++from) {
        double in = 0;
        for (std::size_t to = from; to < taken.size(); ++to) {
          in += taken[to].second;
          auto const time = taken[to].first - taken[from].first;
          if (in > rate * time + burst + 1e-6) FAIL("partition " << partition << ": " << in << " in " << time << " s");
        }
      }
  }
}

TEST_CASE("without an interval the rate is had in full") {
  auto limit = policy::open({.records_per_second = 3}, {});
  set const one({unknown});
  std::size_t all = 0;
  for (auto now = 0ns; now <= 1000s; now += 7'000'001ns) all += take_all(limit, now, one)[0];
  CHECK(all == 3 + 2999);  // the burst, and 999.99… s
}

TEST_CASE("a slow rate gives a whole record when its time has come") {
  auto limit = policy::open({.records_per_second = 0.25}, {});
  set const one({unknown});
  CHECK(take_all(limit, 0s, one)[0] == 1);
  CHECK(take_all(limit, 4s - 1ns, one)[0] == 0);
  CHECK(take_all(limit, 4s, one)[0] == 1);
  CHECK(take_all(limit, 1h, one)[0] == 1);  // a pause saves no more than the burst
}

TEST_CASE("a clock that stands still gives the burst, no more") {
  auto limit = policy::open({.records_per_second = 10}, {});
  set const one({unknown});
  CHECK(take_all(limit, 1s, one)[0] == 10);
  for (int i = 0; i < 100; ++i) CHECK(take_all(limit, 1s, one)[0] == 0);
  CHECK(take_all(limit, 1s + 100ms, one)[0] == 1);
}

TEST_CASE("a rate that is none is refused with its key") {
  auto const bad =
      GENERATE(0., -1., 1e-9, 1e10, std::numeric_limits<double>::infinity(), std::numeric_limits<double>::quiet_NaN());
  CHECK(refusal(policy{.records_per_second = bad}).find("max_rate_per_partition.records_per_second is ") !=
        std::string::npos);
  CHECK(refusal(policy{.records_per_second = 1e9}, every(24h)).empty());
}
