#include <sluice/delivery/parallel.hpp>

#include <sluice/delivery/idempotent.hpp>

#include <algorithm>
#include <barrier>
#include <map>
#include <mutex>
#include <stdexcept>
#include <thread>

#include "batches.hpp"
#include "catch.hpp"
#include "scripted_consumer.hpp"

using namespace scripted;

namespace {
struct two_partitions : held {
  two_partitions() {
    part("orders", 0, {{.at = 4, .value = "a"}, {.at = 7, .value = "b"}, {.at = 8, .value = "c"}});
    part("orders", 1, {{.at = 0, .value = "x"}, {.at = 1, .value = "y"}});
  }
};
}  // namespace

TEST_CASE("partitions side by side, each in order and on one thread") {
  two_partitions all;
  std::barrier together{2};
  std::mutex guard;
  std::map<int, std::string> seen;
  std::map<int, std::thread::id> threads;
  auto handler = sl::parallel<2>([&](sl::batch const& one) {
    together.arrive_and_wait();
    for (sl::record r : one) {
      std::lock_guard const held{guard};
      seen[r.partition()] += r.text();
      threads[r.partition()] = std::this_thread::get_id();
    }
  });
  auto const batch = all.batch(sl::wall_time{std::chrono::milliseconds{5}});
  handler(batch);
  CHECK(seen == std::map<int, std::string>{{0, "abc"}, {1, "xy"}});
  CHECK(threads[0] != threads[1]);
  handler(batch);
  CHECK(seen[1] == "xyxy");
  handler(sl::batch{});
  CHECK(seen[1] == "xyxy");
}

TEST_CASE("a partition's batch keeps the batch's time and range") {
  two_partitions all;
  auto const batch = all.batch(sl::wall_time{std::chrono::milliseconds{5}});
  sl::parallel<1>([&](sl::batch const& one) {
    CHECK(one.time() == batch.time());
    CHECK(one.ranges().size() == 1);
  })(batch);
}

TEST_CASE("a partition that fails does not stop the other one") {
  two_partitions all;
  std::atomic<int> handled = 0;
  auto handler = sl::parallel<2>([&](sl::batch const& one) {
    for (sl::record r : one) {
      if (r.text() == "a") throw std::runtime_error("unusable");
      ++handled;
    }
  });
  CHECK_THROWS_WITH(handler(all.batch()), "unusable");
  CHECK(handled == 2);
}

TEST_CASE("somebody may answer for its repetition") {
  two_partitions all;
  std::atomic<int> calls = 0;
  auto handler = sl::assume_idempotent(sl::parallel<2>([&](sl::batch const&) { ++calls; }));
  handler(all.batch());
  CHECK(calls == 2);
}

TEST_CASE("one advance for all partitions; where one has failed none is stored, and all come again") {
  outside o{2};
  o.world.produce(p0, 3);
  o.world.produce(p1, 2);
  auto c = o.start<sl::at_least_once>();
  o.world.assign({p0, p1});
  std::mutex guard;
  std::vector<effect> seen;
  bool fails = true;
  auto handler = sl::parallel<2>([&](sl::batch const& one) {
    std::lock_guard const held{guard};
    recorder{seen}(one);
    if (fails && (*one.begin()).partition() == 1) throw std::runtime_error("unusable");
  });
  CHECK_THROWS_WITH(c.step(handler), "unusable");
  CHECK(o.disk.next(p0) == 0);
  CHECK(o.disk.next(p1) == 0);
  fails = false;
  seen.clear();
  c.step(handler);
  CHECK(offsets_of(p0, seen) == upto(3));
  CHECK(offsets_of(p1, seen) == upto(2));
  CHECK(o.disk.next(p0) == 3);
  CHECK(o.disk.next(p1) == 2);
}

TEST_CASE("asked to stop in the middle: the batch is handled to its end and stored") {
  outside o{2};
  o.world.produce(p0, 3);
  o.world.produce(p1, 2);
  auto c = o.start<sl::at_least_once>();
  o.world.assign({p0, p1});
  std::stop_source stop;
  std::atomic<std::size_t> handled = 0;
  c.run(stop.get_token(), sl::parallel<2>([&](sl::batch const& one) {
          stop.request_stop();
          handled += one.size();
        }));
  CHECK(handled == 5);
  CHECK(o.disk.next(p0) == 3);
  CHECK(o.disk.next(p1) == 2);
}

TEST_CASE("two threads are 1.8 times as fast where the handler waits") {
  held even;
  for (int p : {0, 1}) even.part("orders", p, std::vector<made>(1000, {.value = "v"}));
  auto const batch = even.batch();
  auto const wait = [](sl::batch const& records) {
    for (sl::record r : records) std::this_thread::sleep_for(std::chrono::microseconds{r.text().empty() ? 0 : 20});
  };
  auto single = sl::parallel<1>(wait);
  auto both = sl::parallel<2>(wait);
  auto const time = [&](auto& handler) {
    auto const begun = std::chrono::steady_clock::now();
    handler(batch);
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count();
  };
  std::vector<double> ratios;
  for (int round = 0; round < 7; ++round) ratios.push_back(time(single) / time(both));
  std::sort(ratios.begin(), ratios.end());
  CAPTURE(ratios.front(), ratios.back());
  CHECK(ratios[ratios.size() / 2] >= 1.8);
}
