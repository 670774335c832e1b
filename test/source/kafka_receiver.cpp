#include <sluice/source/kafka_receiver.hpp>

#include <sluice/offset_store/sqlite.hpp>
#include <sluice/source/write_ahead_log.hpp>
#include <sluice/testing/embedded_broker.hpp>

#include "source/consuming.hpp"

using namespace consuming;
using source = sl::write_ahead_log<sl::kafka_receivers>;

namespace {

struct place {
  temporary_folder folder{};
  std::ostringstream told{};
  sl::testing::embedded_broker broker{};
  source config{.source = {.brokers = broker.bootstrap(),
                           .group = "counting",
                           .properties = {{"session.timeout.ms", "3500"}, {"heartbeat.interval.ms", "300"}}},
                .folder = folder.name() + "/log",
                .segment_bytes = 4000,
                .max_bytes = 40'000,
                .max_record = 4000};

  auto start() {
    return sl::stream_consumer<sl::at_least_once, sl::sqlite_offsets, source, sl::log_to>{
        config, sl::sqlite_offsets{folder.name() + "/offsets.db"}, sl::log_to{&told}};
  }
};

std::string header_of(sl::record r, std::string_view name) {
  for (auto const& h : r.headers())
    if (h.name == name) return std::string{sl::as_text(h.value)};
  return "none";
}

/// Takes everything, and has nothing on the disk.
struct pending_log : sl::receiving {
  std::atomic<std::uint64_t> stored = 0;
  std::mutex guard{};
  texts failures{};
  bool store(sl::received const&) override {
    ++stored;
    return true;
  }
  bool try_store(sl::received const& r) override { return store(r); }
  bool stop_requested() const override { return false; }
  int stop_event() const override { return -1; }
  void tell(std::string) override {}
  void fail(std::string why) override {
    std::lock_guard const lock{guard};
    failures.push_back(std::move(why));
  }
  void finish() override {}
};

/// Where group g stands in t/0; negative: nowhere.
std::int64_t committed(std::string const& brokers) {
  sl::detail::rdkafka_conf conf{rd_kafka_conf_new()};
  char why[200] = "";
  rd_kafka_conf_set(conf.get(), "bootstrap.servers", brokers.c_str(), why, sizeof why);
  rd_kafka_conf_set(conf.get(), "group.id", "g", why, sizeof why);
  std::unique_ptr<rd_kafka_t, void (*)(rd_kafka_t*)> const client{
      rd_kafka_new(RD_KAFKA_CONSUMER, conf.release(), why, sizeof why), rd_kafka_destroy};
  REQUIRE(client);
  std::unique_ptr<rd_kafka_topic_partition_list_t, void (*)(rd_kafka_topic_partition_list_t*)> const at{
      rd_kafka_topic_partition_list_new(1), rd_kafka_topic_partition_list_destroy};
  rd_kafka_topic_partition_list_add(at.get(), "t", 0);
  REQUIRE(rd_kafka_committed(client.get(), at.get(), 10'000) == RD_KAFKA_RESP_ERR_NO_ERROR);
  return at->elems[0].offset;
}

bool soon(std::function<bool()> const& is_so) {
  for (auto const give_up = std::chrono::steady_clock::now() + 20s; !is_so(); std::this_thread::sleep_for(20ms))
    if (std::chrono::steady_clock::now() > give_up) return false;
  return true;
}

}  // namespace

TEST_CASE("members with groups of their own, into one log, each record with its place; a restart reads nothing twice") {
  place p;
  p.broker.create_topic("a", 2);
  p.broker.create_topic("b", 1);
  p.config.source.members = {{.group = "one", .topics = {"a"}}, {.group = "two", .topics = {"a", "b"}}};
  std::map<std::string, int> seen;
  auto const note = [&](sl::batch const& b) {
    for (sl::record r : b)
      ++seen[header_of(r, "sluice.group") + " " + header_of(r, "sluice.topic") + " " +
             header_of(r, "sluice.partition") + " " + header_of(r, "sluice.offset") + " " + std::string{r.key_text()} +
             " " + std::string{r.text()} + " " + header_of(r, "own")];
  };
  std::size_t wanted = 0;
  for (int life = 0; life < 2; ++life) {
    for (int i = 0; i < 20; ++i) {
      p.broker.produce("a", i % 2, "k", std::to_string(i));
      p.broker.produce("b", 0, "k", std::to_string(i));
    }
    wanted += 60;
    auto c = p.start();
    INFO(p.told.str());
    REQUIRE(until(c, note, [&] { return seen.size() == wanted; }));
  }
  for (auto const& [what, n] : seen) CHECK((n == 1 || what.empty()));
  CHECK(seen.contains("two b 0 39 k 19 none"));
  CHECK(seen.contains("one a 1 0 k 1 none"));
}

TEST_CASE("what Kafka gives again is dropped, also when the log has been trimmed since") {
  place p;
  p.broker.create_topic("t", 1);
  p.config.source.members = {{.group = "g", .topics = {"t"}}};
  noted seen;
  for (int i = 0; i < 200; ++i) p.broker.produce("t", 0, "k", std::string(50, 'x'));
  {
    auto c = p.start();
    REQUIRE(until(c, seen.handler(), [&] { return seen.lines.size() == 200; }));
  }
  // The group's position is lost, as it is when the process dies between the log's sync and Kafka's commit.
  sl::testing::embedded_broker other;
  other.create_topic("t", 1);
  for (int i = 0; i < 200; ++i) other.produce("t", 0, "k", std::string(50, 'x'));
  other.produce("t", 0, "k", "new");
  p.config.source.brokers = other.bootstrap();
  auto c = p.start();
  // A log that begins anew in Kafka has a later incarnation: then its records are new ones.
  REQUIRE(until(c, seen.handler(), [&] { return seen.lines.back() == "new"; }));
  CHECK(seen.lines.size() == 401);
}

TEST_CASE("repeats within one life of the topic") {
  // What a receiver does with what it is given, without Kafka: its note and its records are what it knows.
  sl::basic_kafka_receiver<void> before{{}}, after{{}};
  before.recall(std::string{"sluice kafka receiver 1\na%20group t 0 7 41\n"});
  CHECK(before.note() == "sluice kafka receiver 1\na%20group t 0 7 41\n");
  after.recall(before.note());
  CHECK(after.note() == before.note());
  CHECK_THROWS_AS(after.recall(std::string{"sluice kafka receiver 1\na t x 7 41\n"}), sl::store_error);
  CHECK_THROWS_AS(after.recall(std::string{"another's\n"}), sl::store_error);

  std::string const value[] = {"a group", "t", "0", "50", "7"};
  char const* const name[] = {"sluice.group", "sluice.topic", "sluice.partition", "sluice.offset",
                              "sluice.incarnation"};
  sl::header_list headers;
  for (int i = 0; i < 5; ++i) headers.add(name[i], value[i]);
  sl::received const one{.value = "v", .headers = headers};
  sl::detail::block_ptr const block{new sl::detail::record_block};
  auto const m = block->lend(block->add(one), 3);
  sl::detail::part const part{
      &m, &m + 1, {{"received", 0}, sl::offset{3}, sl::offset{4}, 1}, &sl::detail::image_access};
  after.recall(sl::record{&m, &part});
  sl::detail::record_block::give_back(m);
  CHECK(after.note() == "sluice kafka receiver 1\na%20group t 0 7 50\n");
}

TEST_CASE("what is on the disk is in the note, though the rest of its batch is not there yet") {
  sl::testing::embedded_broker broker;
  broker.create_topic("t", 1);
  for (int i = 0; i < 10; ++i) broker.produce("t", 0, "k", "v");
  /// Has room for three records.
  struct small_log : sl::receiving {
    std::mutex guard{};
    std::condition_variable changed{};
    std::uint64_t stored = 0;
    bool closed = false;
    bool store(sl::received const&) override {
      std::unique_lock lock{guard};
      changed.wait(lock, [&] { return closed || stored < 3; });
      if (closed) return false;
      ++stored;
      changed.notify_all();
      return true;
    }
    bool try_store(sl::received const&) override { return false; }
    bool stop_requested() const override { return false; }
    int stop_event() const override { return -1; }
    void tell(std::string) override {}
    void fail(std::string) override {}
    void finish() override {}
  } log;
  sl::basic_kafka_receiver<void> r{{.brokers = broker.bootstrap(),
                                    .members = {{.group = "g", .topics = {"t"}, .start = sl::start_at::earliest}},
                                    .properties = {{"session.timeout.ms", "3500"}, {"heartbeat.interval.ms", "300"}}}};
  r.start(log);
  // As the log's writer does before it removes a segment.
  for (std::uint64_t n = 0; n < 3;) {
    {
      std::unique_lock lock{log.guard};
      REQUIRE(log.changed.wait_for(lock, 20s, [&] { return log.stored > n; }));
      n = log.stored;
    }
    r.durable(n);
  }
  auto const note = r.note();
  INFO(note);
  CHECK(note.find("g t 0 ") != note.npos);
  CHECK(note.ends_with(" 2\n"));
  {
    std::lock_guard const lock{log.guard};
    log.closed = true;
  }
  log.changed.notify_all();
  r.stop();
}

TEST_CASE("what Kafka gives again while the log still syncs it is committed when that is done") {
  sl::testing::embedded_broker broker;
  broker.create_topic("t", 1);
  broker.produce("t", 0, "k", "v");
  pending_log log;
  sl::basic_kafka_receiver<void> r{{.brokers = broker.bootstrap(),
                                    .members = {{.group = "g", .topics = {"t"}, .start = sl::start_at::earliest}},
                                    .properties = {{"session.timeout.ms", "3500"}, {"heartbeat.interval.ms", "300"}}}};
  r.start(log);
  REQUIRE(soon([&] { return log.stored == 1; }));
  r.stop();  // as when another member has failed
  CHECK(log.failures.empty());
  r.start(log);
  REQUIRE(soon([&] { return r.repeats() == 1; }));
  std::this_thread::sleep_for(500ms);
  CHECK(committed(broker.bootstrap()) < 1);
  r.durable(1);
  CHECK(soon([&] { return committed(broker.bootstrap()) == 1; }));
  r.stop();
  CHECK(log.stored == 1);
  CHECK(log.failures.empty());
}

TEST_CASE("a maximum rate for each member") {
  place p;
  p.broker.create_topic("t", 1);
  p.config.source.members = {{.group = "g", .topics = {"t"}, .max_records_per_second = 100}};
  for (int i = 0; i < 60; ++i) p.broker.produce("t", 0, "k", "v");
  noted seen;
  auto c = p.start();
  REQUIRE(until(c, seen.handler(), [&] { return !seen.lines.empty(); }));
  auto const begun = std::chrono::steady_clock::now();
  REQUIRE(until(c, seen.handler(), [&] { return seen.lines.size() == 60; }));
  CHECK(std::chrono::steady_clock::now() - begun > 350ms);
}

TEST_CASE("a member that can't start is told, and tried again; bad input") {
  place p;
  p.broker.create_topic("t", 1);
  p.config.source.members = {{.group = "g", .topics = {"t"}}};
  auto wrong = p.config;
  wrong.source.properties = {{"no.such.property", "1"}};
  {
    sl::stream_consumer<sl::at_least_once, sl::sqlite_offsets, source, sl::log_to> c{
        wrong, sl::sqlite_offsets{p.folder.name() + "/offsets.db"}, sl::log_to{&p.told}};
    REQUIRE(
        until(c, [](sl::batch const&) {}, [&] { return p.told.str().find("no.such.property") != std::string::npos; }));
  }
  p.config.source.members.clear();
  CHECK(code_of([&] { p.start(); }) == sl::errc::bad_configuration);
  p.config.source.members = {{.group = "g"}};
  CHECK(code_of([&] { p.start(); }) == sl::errc::bad_configuration);
}
