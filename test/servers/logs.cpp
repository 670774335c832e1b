// What happens to a log under a consumer, on a real Kafka: partitions added, records deleted, compacted or aborted, a topic
// that is deleted and created again.
#include <sluice/offset_store/sqlite.hpp>
#include <sluice/sluice.hpp>

#include "catch.hpp"
#include "servers/kafka.hpp"
#include "servers/kafka_topics.hpp"

using namespace servers;

namespace {

namespace sl = sluice;
using sl::position_event;
using offsets = std::vector<std::int64_t>;

struct told {
  std::vector<position_event> positions{};
  std::vector<sl::claimed> claims{};
};
struct observer {
  using slot = sl::observer_slot;
  told* to;
  void on_position_error(position_event const& e) const { to->positions.push_back(e); }
  void on_claim(sl::claimed const& c) const { to->claims.push_back(c); }
};

kafka& broker() {
  static kafka one;
  return one;
}

/// A topic, and one consumer of it after another, all of one group that keeps its offsets in SQLite.
struct log_under_a_consumer {
  using consumer = sl::stream_consumer<sl::at_least_once, sl::sqlite_offsets, observer>;
  kafka_topics topics{broker().bootstrap()};
  std::string name = "log-" + std::to_string(++count());
  temporary_folder folder{};
  told heard{};
  std::map<std::int32_t, offsets> handled{};
  sl::kafka source{.brokers = broker().bootstrap(),
                   .group = name,
                   .topics = {name},
                   .properties = {{"topic.metadata.refresh.interval.ms", "200"}, {"metadata.max.age.ms", "1000"}}};

  static int& count() {
    static int n = 0;
    return n;
  }
  std::unique_ptr<consumer> start() {
    return std::make_unique<consumer>(sl::at_least_once{},
                                      sl::sqlite_offsets{.path = (folder.path / "offsets.db").string()}, source,
                                      observer{&heard});
  }
  void produce(int n, std::int32_t partition = 0, char const* value = "v") const {
    topics.produce(name, partition, std::vector<topic_record>(static_cast<std::size_t>(n), {"k", value}));
  }
  std::size_t step(consumer& c) {
    return c
        .step(
            [&](sl::batch const& batch) {
              for (sl::record r : batch) handled[r.partition()].push_back(r.offset().value());
            },
            20ms)
        .records;
  }
  template <class Done>
  void step_until(consumer& c, Done done) {
    for (auto const give_up = std::chrono::steady_clock::now() + 20s; !done(); step(c))
      if (std::chrono::steady_clock::now() > give_up) FAIL("the consumer does not come so far");
  }
  /// Until `n` records of the partition were handled, and a little longer.
  void read(consumer& c, std::size_t n, std::int32_t partition = 0) {
    step_until(c, [&] { return handled[partition].size() >= n; });
    for (int i = 0; i < 5; ++i) step(c);
    CHECK(handled[partition].size() == n);
  }
  /// A first consumer reads all `n` records and leaves.
  void read_and_leave(std::size_t n) {
    auto const c = start();
    read(*c, n);
    CHECK(c->drain(5s) == sl::close_result::drained);
    handled.clear();
    heard = {};
  }
};

offsets range(std::int64_t from, std::int64_t until) {
  offsets all;
  for (; from < until; ++from) all.push_back(from);
  return all;
}

}  // namespace

TEST_CASE_METHOD(log_under_a_consumer, "partitions that are added are read from their first record, by `latest` too") {
  topics.create(name, 1);
  produce(5);
  source.start = sl::start_at::latest;
  auto const c = start();
  step_until(*c, [&] { return !heard.claims.empty(); });
  produce(3);
  read(*c, 3);
  topics.grow(name, 3);
  produce(4, 2);
  read(*c, 4, 2);
  CHECK(handled[0] == range(5, 8));
  CHECK(handled[2] == range(0, 4));
  REQUIRE(heard.claims.size() >= 3);
  CHECK(heard.claims.back().what == sl::claimed::added);
}

TEST_CASE_METHOD(log_under_a_consumer,
                 "records that were deleted below the stored offset are told, and not waited for") {
  topics.create(name, 1);
  produce(10);
  read_and_leave(10);
  produce(10);
  topics.delete_below(name, 0, 15);
  SECTION("nearest") {
    auto const c = start();
    read(*c, 5);
    CHECK(handled[0] == range(15, 20));
    REQUIRE(heard.positions.size() == 1);
    CHECK(heard.positions[0].cause == position_event::out_of_range_low);
    CHECK(heard.positions[0].stored == sl::offset{10});
    CHECK(heard.positions[0].resumed == sl::offset{15});
  }
  SECTION("stop, and a seek goes on") {
    source.on_out_of_range = sl::out_of_range::stop;
    auto const c = start();
    CHECK_THROWS_AS(step_until(*c, [] { return false; }), sl::error);
    CHECK(handled[0].empty());
    c->seek({name, 0}, sl::offset{17});
    read(*c, 3);
    CHECK(handled[0] == range(17, 20));
  }
}

TEST_CASE_METHOD(log_under_a_consumer, "records that are deleted under a reader are told, and reading goes on") {
  topics.create(name, 1);
  produce(10);
  auto const c = start();
  read(*c, 10);
  produce(2000, 0, std::string(1000, 'v').c_str());
  topics.delete_below(name, 0, 2005);
  step_until(*c, [&] { return !handled[0].empty() && handled[0].back() == 2009; });
  for (std::size_t i = 1; i < handled[0].size(); ++i) CHECK(handled[0][i] > handled[0][i - 1]);
}

TEST_CASE_METHOD(log_under_a_consumer, "a topic that was deleted and created again is told from the one before") {
  topics.create(name, 1);
  produce(10);
  read_and_leave(10);
  topics.remove(name);
  topics.create(name, 1);
  SECTION("with fewer records: nearest, the end") {
    produce(4);
    auto const c = start();
    step_until(*c, [&] { return !heard.positions.empty(); });
    CHECK(heard.positions[0].cause == position_event::out_of_range_high);
    produce(2);
    read(*c, 2);
    CHECK(handled[0] == range(4, 6));
  }
  SECTION("with more records: other bytes stand where the last record was, so nothing is skipped unseen") {
    produce(20, 0, "w");
    CHECK_THROWS_AS(
        [&] {
          auto const c = start();
          step_until(*c, [] { return false; });
        }(),
        sl::error);
    REQUIRE(heard.positions.size() == 1);
    CHECK(heard.positions[0].cause == position_event::truncated);
    CHECK(handled[0].empty());
    source.on_position_error = sl::position_error::earliest;
    auto const c = start();
    read(*c, 20);
    CHECK(handled[0] == range(0, 20));
  }
}

TEST_CASE_METHOD(log_under_a_consumer,
                 "a topic that is deleted and created again under a reader: from its start, by policy") {
  source.on_position_error = sl::position_error::earliest;
  topics.create(name, 1);
  produce(10);
  auto const c = start();
  read(*c, 10);
  topics.remove(name);
  topics.create(name, 1);
  produce(30, 0, "w");
  handled.clear();
  step_until(*c, [&] { return !handled[0].empty() && handled[0].back() == 29; });
  // They were written at once, so there was none of them or all when the log's end was asked for.
  CHECK(handled[0] == range(0, 30));
  CHECK_FALSE(heard.positions.empty());
}

TEST_CASE_METHOD(log_under_a_consumer, "the last record's fingerprint, compacted away, is no alarm") {
  topics.create(name, 1,
                {{"cleanup.policy", "compact"},
                 {"min.cleanable.dirty.ratio", "0.001"},
                 {"segment.ms", "100"},
                 {"min.compaction.lag.ms", "0"},
                 {"max.compaction.lag.ms", "100"},
                 {"delete.retention.ms", "0"}});
  produce(10);
  read_and_leave(10);
  // Each write after the segment's time rolls it; the cleaner then keeps the last record of the key.
  for (auto const give_up = std::chrono::steady_clock::now() + 40s;;) {
    std::this_thread::sleep_for(300ms);
    produce(1);
    if (topics.read(name, 1).at(0).size() < 8) break;
    REQUIRE(std::chrono::steady_clock::now() < give_up);
  }
  auto const c = start();
  step_until(*c, [&] { return !handled[0].empty(); });
  CHECK(handled[0].front() >= 10);
  for (auto const& e : heard.positions) CHECK(e.cause == position_event::fingerprint_gone);
}

TEST_CASE_METHOD(log_under_a_consumer, "aborted transactions are not handled, and the position goes behind them") {
  auto const aborted = [&] { topics.abort(name, 0, std::vector<topic_record>(50, {"k", "aborted"})); };
  topics.create(name, 1);
  produce(3);
  aborted();
  produce(2);  // the marker of the abort may come before these or behind them
  aborted();
  {
    auto const c = start();
    read(*c, 5);
    CHECK(handled[0][2] == 2);
    CHECK(handled[0][3] >= 53);
    CHECK(c->drain(5s) == sl::close_result::drained);
  }
  handled.clear();
  produce(1);
  auto const c = start();
  read(*c, 1);
  CHECK(handled[0][0] >= 105);
  CHECK(heard.positions.empty());
}
