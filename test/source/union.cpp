#include <sluice/source/union.hpp>

#include <sluice/sluice.hpp>
#include <sluice/source/constant.hpp>
#include <sluice/source/queue.hpp>
#include <sluice/source/write_ahead_log.hpp>
#include <sluice/testing/embedded_broker.hpp>

#include "source/consuming.hpp"

using namespace consuming;
using sl::constant_source;
using sl::offset;

namespace {
constant_source letters(std::string const& topic, std::int64_t times) {
  return {.records = {{topic + "0"}, {topic + "1"}}, .times = times, .group = "g", .topic = topic};
}
using by_topic = std::map<std::string, texts>;
auto noting(by_topic& seen) {
  return [&](sl::batch const& b) {
    for (sl::record r : b) seen[std::string{r.topic()}].emplace_back(r.text());
  };
}
}  // namespace

namespace {

/// Has a partition until it is served the second time: then it loses it, and something else goes wrong.
struct unlucky {
  struct runtime {
    std::string topic{};
    std::vector<sl::lane> all{};
    std::span<sl::lane const> lanes() const { return all; }
    void serve(sl::source_owner&, sl::time_point) {
      if (all.empty()) {
        all.push_back({.of = {topic, 0}});
        return;
      }
      all.clear();
      throw sl::error(sl::errc::client_failed, "the login has run out");
    }
    std::optional<std::int64_t> lag_of(std::size_t i) const { return all.at(i).next.value(); }
  };
  std::string topic{};
  template <class Context>
  static runtime open(unlucky const& self, Context const&) {
    return {.topic = self.topic};
  }
};

struct nobody : sl::source_owner {
  std::vector<sl::claimed> claim(std::vector<sl::topic_partition> const&, sl::start_resolver&) override { return {}; }
  std::vector<sl::claimed> record(std::vector<sl::rewind> const&) override { return {}; }
  sl::time_point by() override { return {}; }
  bool in_hand(sl::topic_partition const&) const override { return false; }
  void giving_up(std::vector<sl::lane> const&, bool) override {}
  std::optional<offset> sought(sl::topic_partition const&) override { return {}; }
  void found(sl::position_event const&) override {}
  void rebalanced(sl::rebalance_event const&) override {}
  void troubled(sl::errc, std::string const&) override {}
  void put_out(std::string const&) override {}
};

}  // namespace

TEST_CASE("what a member has lost is gone from the union too when the member throws") {
  struct {
    std::tuple<unlucky, unlucky> sources{unlucky{"a"}, unlucky{"b"}};
  } const config;
  struct {
    bool keeps_in_group = false, transactional_group = false;
  } const around;
  sl::union_source<unlucky, unlucky> both{config, around};
  nobody owner;
  both.serve(owner, {});
  CHECK_THROWS_AS(both.serve(owner, {}), sl::error);
  CHECK(both.lanes().size() == 1);
  for (std::size_t i = 0; i < both.lanes().size(); ++i) CHECK_NOTHROW(both.lag_of(i));
}

TEST_CASE("a batch spans them; each has positions of its own, and goes on there") {
  temporary_folder const f;
  using both = sl::union_of<constant_source, constant_source>;
  by_topic seen;
  std::size_t in_first = 0;
  for (int life = 0; life < 2; ++life) {
    sl::stream_consumer<sl::at_least_once, sl::file_offsets, both, sl::micro_batch> c{
        both{{letters("a", 2), letters("b", 3)}}, sl::file_offsets{.directory = f.name()},
        sl::micro_batch{.max_records = life == 0 ? 5u : 100u}};
    if (life == 0) {
      c.step([&](sl::batch const& b) {
        for (auto const& r : b.ranges()) in_first += r.until.value() > r.from.value();
        noting(seen)(b);
      });
      CHECK(c.positions().size() == 2);
      CHECK(c.lag().size() == 2);
    } else {
      REQUIRE(to_the_end(c, noting(seen)));
    }
  }
  CHECK(in_first == 2);
  CHECK(seen == by_topic{{"a", {"a0", "a1", "a0", "a1"}}, {"b", {"b0", "b1", "b0", "b1", "b0", "b1"}}});
}

TEST_CASE("seek and failures are the member's own; memory goes back to whose it is") {
  temporary_folder const f;
  auto const q = std::make_shared<sl::record_queue>();
  using logged = sl::write_ahead_log<sl::queue_source>;
  using both = sl::union_of<constant_source, logged>;
  sl::stream_consumer<sl::at_least_once, sl::file_offsets, both, sl::retry<sl::skip>> c{
      both{{letters("a", 1), logged{.source = {.queue = q, .group = "g"}, .folder = f.name() + "/log"}}},
      sl::file_offsets{.directory = f.name()}, sl::retry<sl::skip>{.times = 1, .backoff = 1ms}};
  q->push("q0");
  q->push("bad");
  q->push("q2");
  q->close();
  by_topic seen;
  REQUIRE(to_the_end(c, sl::each([&](sl::record r) {
                       if (r.text() == "bad") throw std::runtime_error("no");
                       seen[std::string{r.topic()}].emplace_back(r.text());
                     })));
  CHECK(seen == by_topic{{"a", {"a0", "a1"}}, {"queue", {"q0", "q2"}}});
  c.seek({"a", 0}, offset{1});
  REQUIRE(until(c, noting(seen), [&] { return seen["a"].size() == 3; }));
  CHECK(seen["queue"].size() == 2);
}

TEST_CASE("Kafka and a queue: either wakes the consumer") {
  sl::testing::embedded_broker broker;
  broker.create_topic("t", 2);
  temporary_folder const f;
  auto const q = std::make_shared<sl::record_queue>();
  using logged = sl::write_ahead_log<sl::queue_source>;
  using both = sl::union_of<sl::kafka, logged>;
  by_topic seen;
  {
    sl::stream_consumer<sl::at_least_once, sl::file_offsets, both> c{
        both{{sl::kafka{.brokers = broker.bootstrap(), .group = "g", .topics = {"t"}},
              logged{.source = {.queue = q, .group = "g"}, .folder = f.name() + "/log"}}},
        sl::file_offsets{.directory = f.name()}};
    for (int i = 0; i < 3; ++i) {
      broker.produce("t", i % 2, "key", std::to_string(i));
      q->push(std::to_string(i));
      REQUIRE(until(c, noting(seen),
                    [&] { return seen["t"].size() + seen["queue"].size() == 2 * (static_cast<unsigned>(i) + 1); }));
    }
    CHECK(c.positions().size() == 3);
  }
  CHECK(seen == by_topic{{"queue", {"0", "1", "2"}}, {"t", {"0", "1", "2"}}});
}

TEST_CASE("a bounded read of Kafka: what is there, then the consumer is closed; a restart goes on behind it") {
  sl::testing::embedded_broker broker;
  broker.create_topic("t", 2);
  temporary_folder const f;
  noted seen;
  for (int life = 0; life < 2; ++life) {
    for (int i = 0; i < 10; ++i) broker.produce("t", i % 2, "key", std::to_string(i));
    sl::stream_consumer<sl::at_least_once, sl::file_offsets, sl::kafka_partitions> c{
        sl::kafka_partitions{.brokers = broker.bootstrap(),
                             .group = "g",
                             .partitions = {{"t", 0}, {"t", 1}},
                             .until = sl::read_until::end()},
        sl::file_offsets{.directory = f.name()}};
    REQUIRE(to_the_end(c, seen.handler()));
    CHECK(seen.lines.size() == 10u * (static_cast<unsigned>(life) + 1));
  }
  sl::stream_consumer<sl::at_least_once, sl::no_offsets<sl::from::earliest>, sl::kafka> c{sl::kafka{
      .brokers = broker.bootstrap(), .group = "other", .topics = {"t"}, .until = sl::read_until::offset(offset{3})}};
  seen = {};
  REQUIRE(to_the_end(c, seen.handler()));
  CHECK(seen.lines.size() == 6);
}

TEST_CASE("what does not go together") {
  temporary_folder const f;
  using both = sl::union_of<constant_source, constant_source>;
  auto const start = [&](both const& b) {
    sl::stream_consumer<sl::at_least_once, sl::file_offsets, both> c{b, sl::file_offsets{.directory = f.name()}};
    c.step([](sl::batch const&) {});
  };
  CHECK(complaint([&] { start(both{{letters("a", 1), letters("a", 1)}}); }).find("topic a") != std::string::npos);
  auto other = letters("b", 1);
  other.group = "h";
  CHECK(complaint([&] { start(both{{letters("a", 1), other}}); }).find("different groups") != std::string::npos);

  using with_queue = sl::union_of<constant_source, sl::queue_source>;
  using with_log = sl::union_of<constant_source, sl::write_ahead_log<sl::queue_source>>;
  static_assert(!sl::legal<sl::at_least_once, sl::file_offsets, with_queue>);
  static_assert(sl::legal<sl::at_most_once, sl::file_offsets, with_queue>);
  static_assert(sl::legal<sl::transactional, sl::file_offsets, with_log>);
  static_assert(!sl::legal<sl::at_least_once, sl::no_offsets<sl::from::earliest>, with_log>);
  static_assert(sl::legal<sl::at_least_once, sl::no_offsets<sl::from::earliest>, both>);
  static_assert(!sl::legal<sl::at_least_once, sl::kafka_offsets, sl::union_of<sl::kafka, constant_source>>);
  static_assert(sl::source_runtime<both::runtime>);
}
