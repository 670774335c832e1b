#include <sluice/source/queue.hpp>

#include <atomic>

#include "source/consuming.hpp"

using namespace consuming;
using sl::queue_source;

namespace {
auto start(std::shared_ptr<sl::record_queue> const& q) {
  return sl::stream_consumer<sl::at_most_once, sl::no_offsets<sl::from::latest>, queue_source>{
      queue_source{.queue = q}};
}
}  // namespace

TEST_CASE("what any thread pushes is handled; then the queue is closed, and the consumer ends") {
  auto const q = std::make_shared<sl::record_queue>(10);
  auto c = start(q);
  std::vector<std::thread> threads;
  for (int t = 0; t < 3; ++t)
    threads.emplace_back([&q, t] {
      for (int i = 0; i < 500; ++i) q->push(std::to_string(i), std::to_string(t));
    });
  std::thread closer{[&] {
    for (auto& t : threads) t.join();
    q->close();
  }};
  std::map<std::string, int> next;
  std::int64_t at = 0;
  bool in_order = true;
  CHECK(to_the_end(c, [&](sl::batch const& b) {
    for (sl::record r : b) {
      in_order =
          in_order && r.text() == std::to_string(next[std::string{r.key_text()}]++) && r.offset().value() == at++;
      in_order = in_order && r.timestamp().time_since_epoch().count() > 0;
    }
  }));
  closer.join();
  CHECK(in_order);
  CHECK(next == std::map<std::string, int>{{"0", 500}, {"1", 500}, {"2", 500}});
  CHECK(q->pushed() == 1500);
  CHECK_FALSE(q->push("too late"));
}

TEST_CASE("bounded: try_push says full, push waits") {
  sl::record_queue q{2};
  CHECK((q.try_push("1") && q.try_push("2")));
  CHECK_FALSE(q.try_push("3"));
  std::atomic<bool> through = false;
  std::thread waits{[&] {
    q.push("3");
    through = true;
  }};
  q.close();
  waits.join();
  CHECK(through);
  CHECK(q.pushed() == 2);
}

TEST_CASE("what is not read by one consumer is read by the next; numbers go on with a store") {
  auto const q = std::make_shared<sl::record_queue>();
  temporary_folder const f;
  noted seen;
  for (int i = 0; i < 2; ++i) {
    sl::stream_consumer<sl::at_most_once, sl::file_offsets, queue_source> c{queue_source{.queue = q, .group = "g"},
                                                                            sl::file_offsets{.directory = f.name()}};
    q->push("a" + std::to_string(i));
    q->push("b" + std::to_string(i));
    REQUIRE(until(c, seen.handler(), [&] { return seen.lines.size() == 2u * (static_cast<unsigned>(i) + 1); }));
  }
  CHECK(seen.lines == texts{"a0", "b0", "a1", "b1"});
  CHECK(seen.offsets == std::vector<std::int64_t>{0, 1, 2, 3});
}

TEST_CASE("what a consumer has not handed over when it closes is the next one's: none lost, none twice") {
  auto const q = std::make_shared<sl::record_queue>();
  for (int i = 0; i < 1000; ++i) q->push(std::to_string(i), std::to_string(i));
  noted seen;
  for (std::size_t const wanted : {20u, 20u, 31u, 1000u, 1001u}) {
    sl::stream_consumer<sl::at_most_once, sl::no_offsets<sl::from::latest>, queue_source, sl::micro_batch> c{
        queue_source{.queue = q, .max_buffered = wanted == 31 ? 50u : 1u << 20},
        sl::micro_batch{.max_records = wanted == 31 ? 11u : 5u}};
    if (wanted == 1001) q->push("1000");
    REQUIRE(until(c, seen.handler(), [&] { return seen.lines.size() >= wanted; }));
    CHECK(c.drain(5s) == sl::close_result::drained);
    CHECK(c.statistics().lost == 0);
  }
  REQUIRE(seen.lines.size() == 1001);
  for (std::size_t i = 0; i < seen.lines.size(); ++i) CHECK(seen.lines[i] == std::to_string(i));
}

TEST_CASE("a waiting step() wakes up for a record, and tells a descriptor") {
  auto const q = std::make_shared<sl::record_queue>();
  sl::detail::bell mine;
  auto c = start(q);
  noted seen;
  c.step(seen.handler());
  c.wake_on(mine.descriptor());
  q->push("x");
  mine.wait(std::chrono::steady_clock::now() + 20s);
  REQUIRE(until(c, seen.handler(), [&] { return seen.lines.size() == 1; }));
  std::thread later{[&] {
    std::this_thread::sleep_for(50ms);
    q->push("y");
  }};
  auto const r = c.step(seen.handler(), 20s);
  CHECK(r.records == 1);
  later.join();
}

TEST_CASE("numbers that go on: nothing that waits is taken for read, whatever was stored before") {
  temporary_folder const f;
  for (int life = 0; life < 3; ++life) {
    auto const q = std::make_shared<sl::record_queue>();
    for (int i = 0; i < 10; ++i) q->push(std::to_string(i));
    q->close();
    sl::stream_consumer<sl::at_most_once, sl::file_offsets, queue_source> c{
        queue_source{.queue = q, .group = "g", .until = life == 2 ? sl::read_until::end() : sl::read_until{}},
        sl::file_offsets{.directory = f.name()}, sl::micro_batch{.interval = 200ms}};
    std::this_thread::sleep_for(20ms);  // by now they wait, and the first batch is not due yet
    noted seen;
    REQUIRE(to_the_end(c, seen.handler()));
    INFO("life " << life);
    CHECK(seen.lines.size() == 10);
    CHECK((!seen.offsets.empty() && seen.offsets.front() == 10 * life));
  }
}

TEST_CASE("no queue") {
  CHECK(complaint([] { start(nullptr); }).find(".receiver is null") != std::string::npos);
}

static_assert(sl::receiver<sl::record_queue>);
static_assert(sl::local_log<sl::live_log<sl::record_queue>>);
