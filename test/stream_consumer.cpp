#include <sluice/stream_consumer.hpp>

#include <sluice/rate_limit/max_rate_per_partition.hpp>

#include <numeric>
#include <thread>

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

TEST_CASE(
    "brokers that don't tell where a log ends hold a step up no longer than a claim, and drain no longer than it may") {
  outside o{2};
  o.world.produce(p0, 2);
  std::vector<effect> seen;
  auto c = o.start<sl::at_least_once>();
  o.world.assign({p0});
  bool const draining = GENERATE(true, false);
  for (int i = 0; i < 1000 && draining; ++i) o.disk.advances.push_back({act::postpone});
  c.step(recorder{seen});
  o.world.assign({p0, p1});
  o.world.reachable = false;
  o.world.silent = true;
  auto const begin = o.world.now;
  if (draining) {
    CHECK(c.drain(1s) == sl::close_result::abandoned);
    CHECK(o.world.now - begin <= 1s);
  } else {
    c.step(recorder{seen});
    CHECK(o.world.now - begin <= 5s);
  }
  CHECK(seen.size() == 2);
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

TEST_CASE("a seek is void where the partition goes to another before it takes effect, and that is told") {
  outside o;
  o.world.produce(p0, 10);
  std::vector<effect> seen;
  std::ostringstream told;
  auto c = o.start<sl::at_least_once>(sl::log_to{&told});
  o.world.assign({p0});
  drain_log(c, recorder{seen});
  c.seek(p0, sl::offset{4});
  bool const lost = GENERATE(true, false);
  o.world.revoke({p0}, lost);
  drain_log(c, recorder{seen});
  o.world.produce(p0, 5);
  o.disk.rows.at(p0).next = sl::offset{12};
  o.disk.rows.at(p0).log.last.reset();
  seen.clear();
  o.world.assign({p0});
  drain_log(c, recorder{seen});
  CHECK(offsets_of(p0, seen) == upto(15, 12));
  CHECK(o.disk.rewinds.empty());
  CHECK_THAT(told.str(), Catch::Matchers::ContainsSubstring("the seek of t/0 to 4 is void"));
}

TEST_CASE("seek: takes effect at the next step, stored as a rewind; the batch in hand of that partition is dropped") {
  outside o{2};
  o.world.produce(p0, 10);
  o.world.produce(p1, 2);
  std::vector<effect> seen;
  auto c = o.start<sl::at_least_once>();
  o.world.assign({p0, p1});
  drain_log(c, recorder{seen});
  auto const incarnation = o.disk.rows.at(p0).log.incarnation;
  seen.clear();
  SECTION("back") {
    auto const claims = o.disk.claimed;
    c.seek(p0, sl::offset{7});
    drain_log(c, recorder{seen});
    CHECK(offsets_of(p0, seen) == upto(10, 7));
    CHECK(o.disk.claimed == claims);
  }
  SECTION("forward, and the last one counts") {
    o.world.produce(p0, 5);
    c.seek(p0, sl::offset{2});
    c.seek(p0, sl::offset{13});
    drain_log(c, recorder{seen});
    CHECK(offsets_of(p0, seen) == upto(15, 13));
    CHECK(o.disk.rewinds.size() == 1);
  }
  SECTION("with a batch in hand") {
    o.world.produce(p0, 5);
    CHECK_THROWS_AS(c.step([](sl::batch const&) { throw std::runtime_error("no"); }), std::runtime_error);
    c.seek(p0, sl::offset{13});
    drain_log(c, recorder{seen});
    CHECK(offsets_of(p0, seen) == upto(15, 13));
  }
  SECTION("outside of the log: recorded, then as near as the policy allows") {
    c.seek(p0, sl::offset{99});
    drain_log(c, recorder{seen});
    o.world.produce(p0, 1);
    drain_log(c, recorder{seen});
    CHECK(offsets_of(p0, seen) == std::vector<std::int64_t>{10});
    CHECK(o.disk.rewinds.size() == 2);
  }
  SECTION("with a batch in hand") {
    o.world.produce(p0, 5);
    o.world.produce(p1, 1);
    o.disk.advances = {{act::postpone}};
    c.step(recorder{seen});
    c.seek(p0, sl::offset{9});
    steps(c, recorder{seen}, 5);
    CHECK(offsets_of(p0, seen) == std::vector<std::int64_t>{10, 11, 12, 13, 14, 9, 10, 11, 12, 13, 14});
    CHECK(o.disk.next(p1) == 3);
  }
  CHECK(o.disk.rewinds[0].cause == "seek");
  CHECK(o.disk.rows.at(p0).log.incarnation > incarnation);
  CHECK(offsets_of(p1, seen).size() <= 1);
  CHECK(code_of([&] { c.seek({"t", 7}, sl::offset{}); }) == sl::errc::bad_configuration);
  c.close();
  CHECK(o.world.wrong() == "");
}

TEST_CASE("from inside a handler: refused, but close, wake and statistics") {
  outside o;
  o.world.produce(p0, 2);
  auto c = o.start<sl::at_least_once>();
  o.world.assign({p0});
  bool const throws = GENERATE(true, false);
  auto const handler = [&](sl::batch const&) {
    auto const nothing = [](sl::batch const&) {};
    CHECK(code_of([&] { c.step(nothing); }) == sl::errc::called_from_handler);
    CHECK(code_of([&] { (void)c.drain(1s); }) == sl::errc::called_from_handler);
    CHECK(code_of([&] { c.seek(p0, sl::offset{}); }) == sl::errc::called_from_handler);
    CHECK(c.statistics().batches == 0);
    c.wake();
    c.close();
    CHECK(c.positions().size() == 1);
    if (throws) throw std::runtime_error("poison");
  };
  if (throws)
    CHECK_THROWS(c.step(handler));
  else
    c.step(handler);
  CHECK(c.step(handler).what == sl::step_result::closed);
  CHECK(o.disk.next(p0) == (throws ? 0 : 2));
  CHECK(o.world.wrong() == "");
}

TEST_CASE("drain: what was handled is stored; what waits for a retry is abandoned; a client that hangs is told") {
  outside o;
  o.world.produce(p0, 2);
  std::vector<effect> seen;
  auto c = o.start<sl::at_least_once>();
  o.world.assign({p0});
  SECTION("drained") {
    o.disk.advances = {{act::postpone}, {act::postpone}};
    c.step(recorder{seen});
    auto const begin = o.world.now;
    CHECK(c.drain(1s) == sl::close_result::drained);
    CHECK(o.disk.next(p0) == 2);
    CHECK(o.world.now - begin >= 40ms);    // each try after its wait
    CHECK(o.disk.asked_by <= begin + 1s);  // and no longer than there is time
  }
  SECTION("no time is left") {
    for (int i = 0; i < 1000; ++i) o.disk.advances.push_back({act::postpone});
    c.step(recorder{seen});
    auto const begin = o.world.now;
    CHECK(c.drain(300ms) == sl::close_result::abandoned);
    CHECK(o.world.now - begin <= 300ms);
  }
  SECTION("abandoned") {
    CHECK_THROWS(c.step([](sl::batch const&) { throw std::runtime_error("poison"); }));
    CHECK(c.drain(1s) == sl::close_result::abandoned);
    CHECK(o.disk.next(p0) == 0);
  }
  SECTION("timed out") {
    o.world.closes = false;
    CHECK(c.drain(1s) == sl::close_result::timed_out);
  }
  CHECK(c.step(recorder{seen}).what == sl::step_result::closed);
  CHECK(c.drain(1s) == sl::close_result::drained);
  CHECK(o.world.wrong() == "");
}

TEST_CASE("run: until it is told to stop; the last batch is stored; a handler's exception leaves it") {
  outside o;
  o.world.produce(p0, 3);
  std::vector<effect> seen;
  auto c = o.start<sl::at_least_once>();
  o.world.assign({p0});
  std::stop_source stop;
  CHECK_THROWS_WITH(c.run(stop.get_token(), [](sl::batch const&) { throw std::runtime_error("poison"); }), "poison");
  o.disk.advances = {{act::postpone}};
  c.run(stop.get_token(), [&](sl::batch const& b) {
    recorder{seen}(b);
    stop.request_stop();
  });
  CHECK(seen.size() == 3);
  CHECK(o.disk.next(p0) == 3);
  CHECK(c.step(recorder{seen}).what == sl::step_result::closed);
  CHECK_THROWS_WITH(c.run(stop.get_token(), recorder{seen}),
                    Catch::Matchers::ContainsSubstring("this consumer is closed"));
}

TEST_CASE("a waiting step ends when another thread wakes it, and when records come") {
  outside o;
  o.world.real_time = true;
  std::vector<effect> seen;
  sl::stream_consumer<sl::at_least_once, offsets, source> c{o.reading(), offsets{&o.disk}};
  o.world.assign({p0});
  c.step(recorder{seen});
  auto const begin = std::chrono::steady_clock::now();
  std::thread other{[&] { c.wake(); }};
  CHECK(c.step(recorder{seen}, 60s).what == sl::step_result::idle);
  other.join();
  CHECK(std::chrono::steady_clock::now() - begin < 30s);

  int const fd = ::eventfd(0, EFD_NONBLOCK);
  c.wake_on(fd);
  std::uint64_t bells = 0;
  c.step(recorder{seen});
  while (::read(fd, &bells, sizeof bells) > 0) {}
  CHECK(::read(fd, &bells, sizeof bells) < 0);
  o.world.produce(p0, 1);
  CHECK(::read(fd, &bells, sizeof bells) == 8);
  c.step(recorder{seen});
  CHECK(seen.size() == 1);
  c.wake_on(-1);
  ::close(fd);
}

TEST_CASE("batches of an interval end on its multiples, whatever the wall clock does; never two at once") {
  outside o;
  auto const years = GENERATE(-3, 3);
  std::vector<sl::wall_time> times;
  std::vector<std::size_t> sizes;
  auto c = o.start<sl::at_least_once>(sl::micro_batch{.interval = 1000ms});
  o.world.assign({p0});
  auto const handler = [&](sl::batch const& b) {
    times.push_back(b.time());
    sizes.push_back(b.size());
    if (times.size() == 2) o.world.pass(2700ms);  // a late one
    if (times.size() == 3) o.world.wall += std::chrono::hours{24 * 365 * years};
  };
  auto const begin = o.world.now;
  c.step(handler);
  for (int i = 0; i < 60; ++i) {
    o.world.produce(p0, 1);
    c.step(handler, 100ms);
  }
  REQUIRE(times.size() >= 5);
  for (auto const t : times) CHECK(t.time_since_epoch() % 1000ms == 0ms);
  CHECK(times[1] - times[0] == 1000ms);
  CHECK(times[2] - times[1] == 1000ms);  // late, and for the interval that was next
  CHECK(sizes[0] <= 7);
  CHECK(times.size() <= static_cast<std::size_t>((o.world.now - begin) / 1000ms) + 1);
  CHECK(std::accumulate(sizes.begin(), sizes.end(), std::size_t{0}) >= 50);
}

struct slow_claims {
  using slot = sl::observer_slot;
  cluster* world;
  void on_claim(sl::claimed const&) const { world->pass(300ms); }
};

TEST_CASE("a claim that takes long makes no batch of an interval early, and none comes twice") {
  outside o;
  std::vector<sl::wall_time> times;
  auto c = o.start<sl::at_least_once>(sl::micro_batch{.interval = 1000ms}, slow_claims{&o.world});
  auto const handler = [&](sl::batch const& b) {
    times.push_back(b.time());
    CHECK(o.world.wall >= b.time());
  };
  o.world.pass(510ms);  // the first batch is due
  o.world.assign({p0});
  for (int i = 0; i < 40; ++i) {
    o.world.produce(p0, 1);
    c.step(handler, 100ms);
  }
  REQUIRE(times.size() >= 3);
  for (std::size_t i = 1; i < times.size(); ++i) CHECK(times[i] - times[i - 1] == 1000ms);
}

TEST_CASE("a batch that the clocks' difference makes early takes its interval's place") {
  outside o;
  std::vector<sl::wall_time> times;
  auto c = o.start<sl::at_least_once>(sl::micro_batch{.interval = 1000ms});
  o.world.assign({p0});
  auto const handler = [&](sl::batch const& b) {
    times.push_back(b.time());
    o.world.wall -= 2ms;  // as if it went slower than the other clock
  };
  for (int i = 0; i < 60; ++i) {
    o.world.produce(p0, 1);
    c.step(handler, 100ms);
  }
  REQUIRE(times.size() >= 4);
  for (std::size_t i = 1; i < times.size(); ++i) CHECK(times[i] - times[i - 1] == 1000ms);
}

TEST_CASE("put out of the group by a handler many times too slow: the second batch fits, by the rate of the first") {
  auto const [too_slow, fits] = GENERATE(table<int, std::size_t>({{10, 32}, {100, 3}, {10'000, 1}}));
  bool const throws = GENERATE(false, true);
  outside o;
  std::vector<std::size_t> sizes;
  auto c = o.start<sl::at_least_once>(sl::micro_batch{.max_records = 640});
  auto const handler = [&, each = 300'000ms * too_slow / 640](sl::batch const& b) {
    sizes.push_back(b.size());
    o.world.pass(each * b.size());
    if (throws) throw std::runtime_error("too late, too");
  };
  o.world.assign({p0});
  o.world.produce(p0, 2000);
  try {
    c.step(handler);
  } catch (std::runtime_error const&) { CHECK(throws); }
  o.world.tell(sl::client::poll_exceeded{"too slow"});
  o.world.revoke({p0}, true);
  o.world.assign({p0});
  CHECK_NOTHROW(c.step([&](sl::batch const& b) { sizes.push_back(b.size()); }));
  CHECK(sizes == std::vector<std::size_t>{640, fits});
}

TEST_CASE("put out of the group: smaller batches, until they fit; then they grow again") {
  outside o;
  std::size_t largest = 0;
  auto c = o.start<sl::at_least_once>(sl::micro_batch{.max_records = 64});
  auto const handler = [&](sl::batch const& b) { largest = b.size(); };
  o.world.assign({p0});
  o.world.produce(p0, 1000);
  c.step(handler);
  CHECK(largest == 64);
  for (std::size_t const expected : {std::size_t{32}, std::size_t{16}}) {
    o.world.tell(sl::client::poll_exceeded{"too slow"});
    o.world.revoke({p0}, true);
    o.world.assign({p0});
    c.step([&](sl::batch const& b) {
      handler(b);
      o.world.pass(200s);  // of 300
    });
    CHECK(largest == expected);
  }
  CHECK(c.statistics().slow_handlers == 4);
  for (int i = 0; i < 4; ++i) c.step(handler);
  CHECK(largest == 64);
}

TEST_CASE("a batch ends at its records and bytes") {
  outside o;
  for (int i = 0; i < 10; ++i) o.world.produce(p0, std::string(99, 'x'));
  std::vector<std::size_t> sizes;
  auto c = o.start<sl::at_least_once>(sl::micro_batch{.max_records = 4});
  o.world.assign({p0});
  drain_log(c, [&](sl::batch const& b) { sizes.push_back(b.size()); });
  CHECK(sizes == std::vector<std::size_t>{4, 4, 2});
  CHECK(c.statistics().bytes == 1000);
}

TEST_CASE("what a step says is due, and how far the consumer lags") {
  outside o;
  o.world.produce(p0, 10);
  std::vector<effect> seen;
  SECTION("at once, where batches are what has arrived") {
    auto c = o.start<sl::at_least_once>(sl::micro_batch{.max_records = 4});
    o.world.assign({p0});
    auto const r = c.step(recorder{seen});
    CHECK(r.what == sl::step_result::handled);
    CHECK(r.due <= o.world.now);
    CHECK(c.statistics().lag == 6);
  }
  SECTION("when the interval is over") {
    auto c = o.start<sl::at_least_once>(sl::micro_batch{.interval = 1s});
    o.world.assign({p0});
    sl::step_result r{};
    for (int i = 0; i < 5 && r.what != sl::step_result::handled; ++i) r = c.step(recorder{seen}, 1s);
    REQUIRE(r.what == sl::step_result::handled);
    CHECK(r.due > o.world.now);
  }
  SECTION("soon, where a rate holds records back") {
    auto c = o.start<sl::at_least_once>(sl::max_rate_per_partition{2});
    o.world.assign({p0});
    drain_log(c, recorder{seen});
    REQUIRE(seen.size() < 10);
    auto const r = c.step(recorder{seen});
    CHECK(r.what == sl::step_result::idle);
    CHECK(r.due <= o.world.now + 10ms);
  }
  SECTION("not soon, where nothing does") {
    auto c = o.start<sl::at_least_once>();
    o.world.assign({p0});
    drain_log(c, recorder{seen});
    CHECK(c.step(recorder{seen}).due > o.world.now + 10ms);
  }
}

TEST_CASE("each partition has its turn, however full another one is") {
  outside o{2};
  o.world.produce(p0, 100);
  o.world.produce(p1, 100);
  std::vector<effect> seen;
  auto c = o.start<sl::at_least_once>(sl::micro_batch{.max_records = 2});
  o.world.assign({p0, p1});
  steps(c, recorder{seen}, 10);
  CHECK(offsets_of(p0, seen).size() >= 6);
  CHECK(offsets_of(p1, seen).size() >= 6);
}

TEST_CASE("no broker answers at the first claim: it is asked again") {
  outside o;
  o.world.produce(p0, 2);
  std::vector<effect> seen;
  auto c = o.start<sl::at_least_once>();
  o.world.assign({p0});
  o.world.reachable = false;
  CHECK_NOTHROW(steps(c, recorder{seen}, 3));
  CHECK(seen.empty());
  o.world.reachable = true;
  steps(c, recorder{seen}, 5, 10s);
  CHECK(seen.size() == 2);
  CHECK(o.world.wrong() == "");
}

TEST_CASE("a local store: the group knows of it before the claim holds; another one is refused") {
  outside o;
  o.disk.id = "here";
  o.world.produce(p0, 2);
  std::vector<effect> seen;
  SECTION("noted") {
    auto c = o.start<sl::at_least_once>();
    o.world.assign({p0});
    c.step([&](sl::batch const& b) {
      auto const note = sl::read_note(o.world.committed.at(p0).second);
      REQUIRE(note);
      CHECK(note->store_id == "here");
      recorder{seen}(b);
    });
    CHECK(seen.size() == 2);
    CHECK(o.world.committed.at(p0).first == sl::offset{2});  // the mirror
    CHECK(sl::read_note(o.world.committed.at(p0).second)->store_id == "here");
  }
  SECTION("another one's") {
    o.world.committed[p0] = {sl::offset{1}, sl::to_text({.store_id = "elsewhere"})};
    auto c = o.start<sl::at_least_once>();
    o.world.assign({p0});
    CHECK(complaint_of(c, recorder{seen}) == sl::errc::foreign_store);
    CHECK(seen.empty());
    CHECK(o.disk.rows.empty());
    o.world.committed.erase(p0);
    steps(c, recorder{seen}, 5, 10s);
    CHECK(seen.size() == 2);
  }
  SECTION("the group's answer is lost: its client is thrown away, and the claim does not hold") {
    auto c = o.start<sl::at_least_once>();
    o.world.assign({p0});
    o.world.rejoins_with = {p0};
    o.world.group_answers = {sl::outcome::unknown};
    c.step(recorder{seen});
    CHECK(seen.empty());
    CHECK(o.world.abandoned == 1);
    steps(c, recorder{seen}, 5, 10s);
    CHECK(o.world.renewed == 1);
    CHECK(seen.size() == 2);
  }
  SECTION("the group can't be read") {
    auto c = o.start<sl::at_least_once>();
    o.world.assign({p0});
    o.world.readable = false;
    c.step(recorder{seen});
    CHECK(o.disk.claimed == 0);
    o.world.readable = true;
    steps(c, recorder{seen}, 5, 10s);
    CHECK(seen.size() == 2);
  }
  SECTION("the group is silent about a partition") {
    o.world.silent_about = {p0};
    auto c = o.start<sl::at_least_once>();
    o.world.assign({p0});
    steps(c, recorder{seen}, 5, 10s);
    CHECK(o.disk.claimed == 0);
    CHECK(seen.empty());
    o.world.silent_about.clear();
    steps(c, recorder{seen}, 5, 10s);
    CHECK(seen.size() == 2);
  }
  SECTION("no group") {
    CHECK(code_of([&] {
            auto from = o.reading();
            from.group.clear();
            (void)o.start_on<sl::at_least_once>(from);
          }) == sl::errc::bad_configuration);
  }
  CHECK(o.world.wrong() == "");
}

TEST_CASE("by hand a local store is noted again each day, mirrored or not: Kafka forgets it after a week") {
  bool const mirror = GENERATE(true, false);
  outside o{2};
  o.disk.id = "here";
  o.world.produce(p0, 3);
  source_by_hand from{.world = &o.world, .partitions = {p0, p1}};
  sl::stream_consumer<sl::at_least_once, offsets, source_by_hand, manual_clock> c{
      from, offsets{.at = &o.disk, .mirror = mirror}, manual_clock{&o.world}};
  drain_log(c, [](sl::batch const&) {});
  auto const noted = [&](of_t const& of, std::int64_t next) {
    auto const at = o.world.committed.find(of);
    if (at == o.world.committed.end() || at->second.first != sl::offset{next}) return false;
    auto const note = sl::read_note(at->second.second);
    return note && note->store_id == "here";
  };
  auto const idle_for = [&](auto t) {
    for (auto const until = o.world.now + t; o.world.now < until; o.world.pass(1h)) c.step([](sl::batch const&) {});
  };
  REQUIRE(noted(p1, 0));

  o.world.committed.clear();  // as Kafka does
  idle_for(22h);
  CHECK(o.world.committed.empty());
  idle_for(4h);
  CHECK(noted(p0, 3));
  CHECK(noted(p1, 0));

  SECTION("and soon again where that failed") {
    o.world.committed.clear();
    o.world.background_failure = "no answer";
    idle_for(25h);
    CHECK(o.world.committed.empty());
    o.world.background_failure.clear();
    idle_for(2h);
    CHECK(noted(p0, 3));
  }
  SECTION("what is in hand is not stored, and not noted") {
    o.world.produce(p0, 1);
    o.disk.advances.assign(50, {act::postpone});
    o.world.committed.clear();
    idle_for(25h);
    CHECK(noted(p0, 3));
    CHECK_FALSE(sl::read_note(o.world.committed.at(p0).second)->log.last);
    CHECK(noted(p1, 0));
  }
}

TEST_CASE("a member's local store is not noted again: Kafka keeps a living group's offsets") {
  outside o;
  o.disk.id = "here";
  auto c = o.start<sl::at_least_once>();
  o.world.assign({p0});
  drain_log(c, [](sl::batch const&) {});
  o.world.committed.clear();
  for (int i = 0; i < 50; ++i, o.world.pass(1h)) c.step([](sl::batch const&) {});
  CHECK(o.world.committed.empty());
}

TEST_CASE("a mirror is best effort, and can be left out") {
  outside o;
  o.world.produce(p0, 2);
  {
    sl::stream_consumer<sl::at_least_once, offsets, source, manual_clock> c{
        o.reading(), offsets{.at = &o.disk, .mirror = false}, manual_clock{&o.world}};
    o.world.assign({p0});
    drain_log(c, [](sl::batch const&) {});
  }
  CHECK(o.world.mirrored == 0);
  CHECK(o.world.committed.empty());
}

namespace {
std::size_t handled_by_name = 0;
void by_name(sl::batch const& batch) { handled_by_name += batch.size(); }
}  // namespace

TEST_CASE("a handler may be a function, by its name or its address") {
  outside o;
  o.world.produce(p0, 3);
  auto c = o.start<sl::at_least_once>();
  o.world.assign({p0});
  handled_by_name = 0;
  for (int i = 0; i < 5; ++i) c.step(by_name);
  CHECK(handled_by_name == 3);
  o.world.produce(p0, 2);
  for (int i = 0; i < 5; ++i) c.step(&by_name);
  CHECK(handled_by_name == 5);
}

TEST_CASE("what can't be configured is refused at construction, with the key") {
  outside o;
  auto const refused = [&](auto config) {
    std::string said;
    try {
      (void)o.start<sl::at_least_once>(config);
    } catch (sl::error const& e) {
      CHECK(e.code() == sl::errc::bad_configuration);
      said = e.what();
    }
    return said;
  };
  using Catch::Matchers::ContainsSubstring;
  CHECK_THAT(refused(sl::micro_batch{.max_records = 0}), ContainsSubstring("max_records"));
  CHECK_THAT(refused(sl::micro_batch{.max_bytes = 0}), ContainsSubstring("max_bytes"));
  CHECK_THAT(refused(sl::micro_batch{.interval = -1ms}), ContainsSubstring("interval"));
  CHECK(o.world.wrong() == "");
}
