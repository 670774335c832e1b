#include <sluice/source/write_ahead_log.hpp>

#include <sluice/offset_store/sqlite.hpp>
#include <sluice/source/queue.hpp>
#include <sluice/source/user.hpp>

#include <atomic>

#include "source/consuming.hpp"

using namespace consuming;
using sl::offset;
using log_of_queue = sl::write_ahead_log<sl::queue_source>;

namespace {

struct place {
  temporary_folder folder{};
  std::shared_ptr<sl::record_queue> queue = std::make_shared<sl::record_queue>();
  std::ostringstream told{};

  log_of_queue log() const {
    return {.source = {.queue = queue, .group = "g"},
            .folder = folder.name() + "/log",
            .segment_bytes = 1000,
            .max_bytes = 10'000,
            .max_record = 2000};
  }
  template <class Delivery, class... More>
  auto start(log_of_queue const& l, More const&... more) {
    return sl::stream_consumer<Delivery, sl::sqlite_offsets, log_of_queue, sl::log_to, More...>{
        l, sl::sqlite_offsets{folder.name() + "/offsets.db"}, sl::log_to{&told}, more...};
  }
  std::size_t segments() const {
    std::size_t n = 0;
    for (auto const& f : std::filesystem::directory_iterator(folder.path / "log"))
      n += f.path().filename().string().starts_with("segment.");
    return n;
  }
};

struct full_disk : sl::detail::posix_files {
  int write(handle const&, std::string_view, std::uint64_t) { return ENOSPC; }
};

/// Whose consumer is a test.
struct listener : sl::source_owner {
  texts heard{};
  std::vector<sl::claimed> claim(std::vector<sl::topic_partition> const&, sl::start_resolver&) override { return {}; }
  std::vector<sl::claimed> record(std::vector<sl::rewind> const&) override { return {}; }
  sl::time_point by() override { return {}; }
  void giving_up(std::vector<sl::lane> const&, bool) override {}
  bool in_hand(sl::topic_partition const&) const override { return false; }
  std::optional<offset> sought(sl::topic_partition const&) override { return {}; }
  void found(sl::position_event const&) override {}
  void rebalanced(sl::rebalance_event const&) override {}
  void troubled(sl::errc, std::string const& text) override { heard.push_back(text); }
  void put_out(std::string const&) override {}
};

bool soon(std::function<bool()> const& is_so) {
  for (auto const give_up = std::chrono::steady_clock::now() + 20s; !is_so(); std::this_thread::sleep_for(5ms))
    if (std::chrono::steady_clock::now() > give_up) return false;
  return true;
}

}  // namespace

TEST_CASE("what was pushed and not handled is there after a restart, once it is durable") {
  place p;
  noted seen;
  {
    auto c = p.start<sl::at_least_once>(p.log());
    for (int i = 0; i < 50; ++i) p.queue->push(std::to_string(i), "k");
    REQUIRE(p.queue->wait_durable(50, std::chrono::steady_clock::now() + 20s));
  }
  CHECK(p.queue->durable() == 50);
  {
    auto c = p.start<sl::at_least_once>(p.log(), sl::micro_batch{.max_records = 7});
    REQUIRE(until(c, seen.handler(), [&] { return seen.lines.size() == 21; }));
  }
  CHECK(seen.offsets.back() == 20);
  auto c = p.start<sl::transactional>(p.log());
  REQUIRE(until(c, [&](sl::batch const& b, auto&) { seen.handler()(b); }, [&] { return seen.lines.size() == 50; }));
  for (std::size_t i = 0; i < 50; ++i)
    CHECK((seen.lines[i] == std::to_string(i) && seen.offsets[i] == static_cast<std::int64_t>(i)));
}

TEST_CASE("a batch that fails comes again; segments go when what they hold is stored") {
  place p;
  auto c = p.start<sl::at_least_once>(p.log());
  for (int i = 0; i < 100; ++i) p.queue->push(std::to_string(i) + std::string(60, 'x'));
  REQUIRE(p.queue->wait_durable(100, std::chrono::steady_clock::now() + 20s));
  CHECK(p.segments() > 3);
  bool thrown = false;
  noted seen;
  auto const h = [&](sl::batch const& b) {
    if (!std::exchange(thrown, true)) throw std::runtime_error("no");
    seen.handler()(b);
  };
  CHECK_THROWS_AS(
      [&] {
        while (!thrown) c.step(h, 50ms);
      }(),
      std::runtime_error);
  REQUIRE(until(c, h, [&] { return seen.lines.size() == 100; }));
  for (auto const give_up = std::chrono::steady_clock::now() + 20s;
       p.segments() > 2 && std::chrono::steady_clock::now() < give_up;)
    std::this_thread::sleep_for(1ms);
  CHECK(p.segments() <= 2);
}

TEST_CASE("a full log holds up the receiver until something is stored") {
  place p;
  p.queue = std::make_shared<sl::record_queue>(10);
  auto c = p.start<sl::at_least_once>(p.log());
  std::atomic<int> pushed = 0;
  std::thread pusher{[&] {
    for (int i = 0; i < 400; ++i) p.queue->push(std::string(100, 'x')), ++pushed;
    p.queue->close();
  }};
  for (int before = -1; before != pushed; std::this_thread::sleep_for(100ms)) before = pushed;
  CHECK(pushed < 100);  // 10,000 bytes of the log, 10 records of the queue
  std::size_t n = 0;
  CHECK(to_the_end(c, [&](sl::batch const& b) { n += b.size(); }));
  pusher.join();
  CHECK(n == 400);
  CHECK(p.told.str().find("holds .max_bytes") != std::string::npos);
}

TEST_CASE("records and their times come back out of groups larger than what is read at once") {
  temporary_folder const folder;
  sl::detail::log_folder<sl::detail::posix_files> log{{}, folder.name() + "/log"};
  log.open();
  auto const at = [](std::uint64_t n) {
    auto const ms = static_cast<std::int64_t>(n) * 977 % 5000 - 1'000'000'000;
    return sl::wall_time{std::chrono::milliseconds{n % 100 == 7 ? INT64_MIN + (ms + 2'000'000'000) : ms}};
  };
  std::string const value(97, 'v');
  for (int g = 0; g < 3; ++g) {
    std::string group;
    auto const from = log.end();
    for (auto n = from; n < from + 7000; ++n) {
      sl::received const r{.value = std::string_view{value}.substr(0, n % 98), .timestamp = at(n)};
      sl::detail::append_frame(group, r, sl::detail::image_size(r), n);
    }
    REQUIRE(group.size() > 300'000);
    log.append(group, 7000, 64 << 20);
  }
  sl::detail::log_cursor<sl::detail::posix_files> cursor{log};
  std::uint64_t good = 0, n = 0;
  std::vector<sl::detail::message> lent;
  for (sl::detail::message m; cursor.next(m); ++n) {
    good += m.value_size == n % 98 && sl::detail::image_access.timestamp(m.native) == at(n).time_since_epoch().count();
    lent.push_back(m);
    if (lent.size() < 5000) continue;
    for (auto const& one : lent) sl::detail::record_block::give_back(one);
    lent.clear();
  }
  for (auto const& one : lent)
    good += sl::detail::image_access.timestamp(one.native) ==
            at(static_cast<std::uint64_t>(one.at)).time_since_epoch().count();
  CHECK((n == 21'000 && good == n + lent.size()));
  for (auto const& one : lent) sl::detail::record_block::give_back(one);
}

TEST_CASE("records of any size up to max_record, with everything they have") {
  place p;
  struct sizes {
    bool refused = false;
    void start(sl::receiving& to) {
      std::string const much(1900, 'm');
      for (std::size_t n = 0; n <= 1900; n += 19)
        to.store({.value = std::string_view{much}.substr(0, n), .key = "k", .headers = {{"n", sl::as_bytes("v")}}});
      try {
        to.store(std::string(3000, 'x'));
      } catch (sl::error const&) { refused = true; }
      to.finish();
    }
  };
  auto const r = std::make_shared<sizes>();
  using source = sl::write_ahead_log<sl::user_source<sizes>>;
  sl::stream_consumer<sl::at_least_once, sl::sqlite_offsets, source> c{
      source{.source = {.receiver = r, .group = "g"},
             .folder = p.folder.name() + "/log",
             .segment_bytes = 1000,
             .max_bytes = 10'000,
             .max_record = 2000},
      sl::sqlite_offsets{p.folder.name() + "/offsets.db"}};
  std::size_t n = 0;
  bool good = true;
  CHECK(to_the_end(c, [&](sl::batch const& b) {
    for (sl::record const one : b) {
      good = good && one.text().size() == 19 * n++ && one.key_text() == "k";
      for (auto const& h : one.headers()) good = good && h.name == "n" && sl::as_text(h.value) == "v";
    }
  }));
  CHECK(good);
  CHECK(n == 101);
  CHECK(r->refused);
}

TEST_CASE("a log that was deleted and begun anew is found out by its id, even where its records are the same") {
  place p;
  struct alike {
    int n;
    void start(sl::receiving& to) const {
      for (int i = 0; i < n; ++i) to.store({.value = "x", .timestamp = {}});
      to.finish();
    }
  };
  using source = sl::write_ahead_log<sl::user_source<alike>>;
  noted seen;
  auto const read = [&](int n, sl::position_error policy) {
    sl::stream_consumer<sl::at_least_once, sl::sqlite_offsets, source> c{
        source{.source = {.receiver = std::make_shared<alike>(alike{n}), .group = "g"},
               .folder = p.folder.name() + "/log",
               .on_position_error = policy},
        sl::sqlite_offsets{p.folder.name() + "/offsets.db"}};
    return to_the_end(c, seen.handler());
  };
  REQUIRE(read(10, sl::position_error::stop));
  std::filesystem::remove_all(p.folder.path / "log");
  CHECK(code_of([&] { read(30, sl::position_error::stop); }) == sl::errc::position_truncated);
  std::filesystem::remove_all(p.folder.path / "log");
  REQUIRE(read(30, sl::position_error::earliest));
  CHECK(seen.lines.size() == 40);
  CHECK(seen.offsets[10] == 0);
}

TEST_CASE("a seek out of what is there is told, after an error of the position too") {
  place p;
  noted seen;
  for (int life = 0; life < 2; ++life) {
    auto c = p.start<sl::at_least_once>(p.log());
    for (int i = 0; i < 10; ++i) p.queue->push(std::to_string(i));
    REQUIRE(p.queue->wait_durable(10, std::chrono::steady_clock::now() + 20s));
    if (life == 0) {
      REQUIRE(until(c, seen.handler(), [&] { return seen.lines.size() == 10; }));
    } else {
      CHECK(code_of([&] { to_the_end(c, seen.handler()); }) == sl::errc::position_truncated);
      c.seek({"queue", 0}, offset{1000});
      CHECK(code_of([&] { until(c, seen.handler(), [] { return false; }); }) == sl::errc::out_of_range);
      c.seek({"queue", 0}, offset{4});
      CHECK(until(c, seen.handler(), [&] { return seen.lines.size() == 16; }));
      c.seek({"queue", 0}, offset{11});
      CHECK(code_of([&] { until(c, seen.handler(), [] { return false; }); }) == sl::errc::out_of_range);
    }
    if (life == 0) std::filesystem::rename(p.folder.path / "log", p.folder.path / "old");
  }
}

TEST_CASE("one consumer a folder; seek within what is there; .until the end") {
  place p;
  auto bounded = p.log();
  {
    auto c = p.start<sl::at_least_once>(p.log());
    for (int i = 0; i < 10; ++i) p.queue->push(std::to_string(i));
    REQUIRE(p.queue->wait_durable(10, std::chrono::steady_clock::now() + 20s));
    CHECK(code_of([&] { p.start<sl::at_least_once>(p.log()); }) == sl::errc::store_unavailable);
  }
  bounded.until = sl::read_until::end();
  noted seen;
  auto c = p.start<sl::at_least_once>(bounded);
  REQUIRE(to_the_end(c, seen.handler()));
  CHECK(seen.lines.size() == 10);
  c.seek({"queue", 0}, offset{8});
  REQUIRE(until(c, seen.handler(), [&] { return seen.lines.size() == 12; }));
  CHECK(seen.lines.back() == "9");
}

TEST_CASE(".until a time") {
  place p;
  using namespace std::chrono;
  struct stamped {
    void start(sl::receiving& to) {
      for (int i = 0; i < 10; ++i) to.store({.value = "x", .timestamp = sl::wall_time{milliseconds{1000 * i}}});
      to.finish();
    }
  };
  using source = sl::write_ahead_log<sl::user_source<stamped>>;
  sl::stream_consumer<sl::at_least_once, sl::sqlite_offsets, source> c{
      source{.source = {.receiver = std::make_shared<stamped>(), .group = "g"},
             .folder = p.folder.name() + "/log",
             .until = sl::read_until::time(system_clock::time_point{seconds{7}})},
      sl::sqlite_offsets{p.folder.name() + "/offsets.db"}};
  std::size_t n = 0;
  CHECK(to_the_end(c, [&](sl::batch const& b) { n += b.size(); }));
  CHECK(n == 7);
}

TEST_CASE("a log that is full of what is stored makes room when it is opened") {
  struct loud {
    std::atomic<int> stored = 0;
    void start(sl::receiving& to) {
      while (to.store(std::string(100, 'x'))) ++stored;
    }
  };
  place p;
  auto const receiver = std::make_shared<loud>();
  using source = sl::write_ahead_log<sl::user_source<loud>>;
  auto const open = [&] {
    return sl::stream_consumer<sl::at_least_once, sl::sqlite_offsets, source>{
        source{.source = {.receiver = receiver, .group = "g"},
               .folder = p.folder.name() + "/log",
               .segment_bytes = 1000,
               .max_bytes = 10'000,
               .max_record = 2000},
        sl::sqlite_offsets{p.folder.name() + "/offsets.db"}};
  };
  {
    auto c = open();
    for (int before = -1; before != receiver->stored; std::this_thread::sleep_for(100ms)) before = receiver->stored;
  }
  namespace fs = std::filesystem;
  fs::copy(p.folder.path / "log", p.folder.path / "copy");
  std::size_t n = 0;
  auto const count = [&](sl::batch const& b) { n += b.size(); };
  {
    auto log = p.log();
    log.source.topic = "received";
    log.until = sl::read_until::end();
    auto c = p.start<sl::at_least_once>(log);
    REQUIRE(to_the_end(c, count));
  }
  // As after a kill between the advance and the removal of what it has stored.
  fs::remove_all(p.folder.path / "log");
  fs::rename(p.folder.path / "copy", p.folder.path / "log");
  auto const before = n;
  CHECK(before > 50);
  auto c = open();
  CHECK(until(c, count, [&] { return n > before; }));
}

TEST_CASE("what a receiver throws when it hears that records are durable, or is asked for its note, is told") {
  struct touchy {
    void start(sl::receiving& to) {
      for (int i = 0; i < 50; ++i) to.store(std::to_string(i) + std::string(100, 'x'));
      to.finish();
    }
    void durable(std::uint64_t) { throw std::runtime_error("the line is dead"); }
    std::atomic<bool> paper = false;
    std::string note() { return paper ? "noted" : throw std::runtime_error("no paper"); }
    void recall(std::optional<std::string> const&) {}
    void recall(sl::record const&) {}
  };
  place p;
  auto const receiver = std::make_shared<touchy>();
  using source = sl::write_ahead_log<sl::user_source<touchy>>;
  sl::stream_consumer<sl::at_least_once, sl::sqlite_offsets, source, sl::log_to> c{
      source{.source = {.receiver = receiver, .group = "g"},
             .folder = p.folder.name() + "/log",
             .segment_bytes = 1000,
             .max_bytes = 10'000,
             .max_record = 2000},
      sl::sqlite_offsets{p.folder.name() + "/offsets.db"}, sl::log_to{&p.told}};
  std::size_t n = 0;
  auto const count = [&](sl::batch const& b) { n += b.size(); };
  CHECK(to_the_end(c, count));
  CHECK(n == 50);
  auto const told = [&](char const* what) { return p.told.str().find(what) != std::string::npos; };
  for (int i = 0; i < 200 && !told("no paper"); ++i) c.step(count, 10ms);
  CHECK(told("the line is dead"));
  CHECK(told("no paper"));
  CHECK(p.segments() > 2);
  receiver->paper = true;
  for (int i = 0; i < 500 && p.segments() > 2; ++i) std::this_thread::sleep_for(10ms);
  CHECK(p.segments() <= 2);  // it is asked again
}

TEST_CASE("what a queue says to be durable is what was pushed since its consumer was opened") {
  place p;
  p.queue->push("before");
  p.queue->push("before");
  {
    auto c = p.start<sl::at_least_once>(p.log());
    p.queue->push("x");
    REQUIRE(p.queue->wait_durable(1, std::chrono::steady_clock::now() + 20s));
    for (std::size_t n = 0; n < 3;) n += c.step([](sl::batch const&) {}, 50ms).records;
    CHECK(p.queue->durable() == 1);
  }
  auto c = p.start<sl::at_least_once>(p.log());
  CHECK(p.queue->durable() == 0);
  p.queue->push("y");
  CHECK(p.queue->wait_durable(1, std::chrono::steady_clock::now() + 20s));
}

TEST_CASE("what never came to a full disk is the queue's still; of a receiver that nobody asks again it is lost") {
  place p;
  struct plain {
    void start(sl::receiving& to) {
      for (int i = 0; i < 3; ++i) to.store("x");
    }
  };
  auto const never_written = [&](auto const& receiver) {
    using receiver_type = typename std::remove_cvref_t<decltype(receiver)>::element_type;
    sl::detail::bell bell;
    listener owner;
    sl::logged_log<receiver_type, full_disk> log{bell, receiver, "t", p.folder.name() + "/log", {}};
    log.open({});
    REQUIRE(soon([&] {
      log.tend(owner, {});
      return !owner.heard.empty();
    }));
    log.close(std::chrono::steady_clock::now() + 20s);
    return log.left_behind();
  };
  CHECK(never_written(std::make_shared<plain>()) == 3);
  for (int i = 0; i < 3; ++i) p.queue->push(std::to_string(i));
  CHECK(never_written(p.queue) == 0);
  auto c = p.start<sl::at_least_once>(p.log());
  noted seen;
  CHECK(until(c, seen.handler(), [&] { return seen.lines.size() == 3; }));
  CHECK(seen.lines == texts{"0", "1", "2"});
}

TEST_CASE("a pushed record that is too large for the log is left out, and does not hold up those behind it") {
  place p;
  std::string const large(3000, 'x');
  p.queue->push("early");
  p.queue->push(large);
  auto c = p.start<sl::at_least_once>(p.log());
  noted seen;
  for (auto const& value : {std::string{"a"}, large, std::string{"b"}}) p.queue->push(value);
  REQUIRE(until(c, seen.handler(), [&] { return seen.lines.size() == 3; }));
  CHECK(seen.lines == texts{"early", "a", "b"});
  CHECK(p.queue->too_large() == 2);
  CHECK(p.told.str().find(".max_record, 2000; it is left out of the queue (2 so far)") != std::string::npos);
  // "b" is on the disk, the one before it is not.
  CHECK(p.queue->wait_durable(1, std::chrono::steady_clock::now() + 20s));
  CHECK_FALSE(p.queue->wait_durable(2, std::chrono::steady_clock::now() + 50ms));
}

TEST_CASE("a position that went back while the log was trimmed behind it is an error, not a silence") {
  place p;
  sl::detail::bell bell;
  sl::logged_log<sl::record_queue> log{bell, p.queue, "t", p.folder.name() + "/log", {1000, 20'000, 2000, 1000, {}}};
  log.open({});
  for (int i = 0; i < 100; ++i) p.queue->push(std::string(95, 'x'));
  REQUIRE(p.queue->wait_durable(100, std::chrono::steady_clock::now() + 20s));
  auto const end = log.ends(0).high;
  auto const take = [&](offset from, std::size_t want) {
    sl::intake in;
    auto const next = log.take(0, from, end, want, 1 << 20, in);
    log.give_back(in.messages.all());
    return next;
  };
  CHECK(take(offset{0}, 3) == offset{3});
  log.stored(0, end);  // as the writer knew it
  auto const first = [&] { return sl::detail::log_segment_name(static_cast<std::uint64_t>(log.ends(0).low.value())); };
  REQUIRE(soon([&] { return p.segments() == 1 && std::filesystem::exists(p.folder.path / "log" / first()); }));
  auto const next = take(offset{3}, 100);  // what it has of a segment is good
  CHECK((next > offset{3} && next < log.ends(0).low));
  CHECK(code_of([&] { take(next, 100); }) == sl::errc::out_of_range);
  CHECK(code_of([&] { take(offset{0}, 100); }) == sl::errc::out_of_range);
  CHECK(take(log.ends(0).low, 100) == end);
}

TEST_CASE("bad input") {
  place p;
  auto l = p.log();
  l.max_bytes = 3999;
  CHECK(code_of([&] { p.start<sl::at_least_once>(l); }) == sl::errc::bad_configuration);
  l = p.log();
  l.folder = "";
  CHECK(code_of([&] { p.start<sl::at_least_once>(l); }) == sl::errc::bad_configuration);
  l = p.log();
  l.sync_every = -1ms;
  CHECK(code_of([&] { p.start<sl::at_least_once>(l); }) == sl::errc::bad_configuration);
}
