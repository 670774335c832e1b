// Partitions that are assigned by hand, with their positions in Kafka.
#include <sluice/sluice.hpp>
#include <sluice/testing/embedded_broker.hpp>

#include "catch.hpp"

namespace sl = sluice;
using namespace std::chrono_literals;

namespace {

std::string const group = "billing";

sl::kafka_partitions of(sl::testing::embedded_broker const& broker, std::vector<sl::topic_partition> partitions) {
  return {.brokers = broker.bootstrap(), .group = group, .partitions = std::move(partitions)};
}

/// What it handles until there is nothing left, or for 10 s.
template <class Consumer>
std::vector<std::string> values(Consumer& c, std::size_t wanted) {
  std::vector<std::string> all;
  for (auto const until = std::chrono::steady_clock::now() + 10s;
       all.size() < wanted && std::chrono::steady_clock::now() < until;)
    c.step(
        [&](sl::batch const& b) {
          for (sl::record r : b) all.emplace_back(r.text());
        },
        100ms);
  return all;
}

}  // namespace

TEMPLATE_TEST_CASE(
    "by hand, without partition 0, in a group that has no positions: it reads, and goes on after a restart", "",
    sl::kafka_offsets, sl::periodic_kafka_offsets) {
  using consumer = sl::stream_consumer<sl::at_least_once, TestType, sl::kafka_partitions>;
  sl::testing::embedded_broker broker;
  broker.create_topic("t", 3);
  for (int i = 0; i < 4; ++i) broker.produce("t", 1, "key", std::to_string(i));
  {
    consumer c{TestType{}, of(broker, {{"t", 1}})};
    CHECK(values(c, 4) == std::vector<std::string>{"0", "1", "2", "3"});
    consumer other{TestType{}, of(broker, {{"t", 0}, {"t", 2}})};  // of another process
    broker.produce("t", 2, "key", "its own");
    CHECK(values(other, 1) == std::vector<std::string>{"its own"});
  }
  broker.produce("t", 1, "key", "4");
  consumer c{TestType{}, of(broker, {{"t", 1}})};
  CHECK(values(c, 1) == std::vector<std::string>{"4"});
}

TEST_CASE("drain: drained where the last commit of what was handled was taken, abandoned where it was not") {
  using consumer = sl::stream_consumer<sl::at_least_once, sl::periodic_kafka_offsets, sl::kafka_partitions>;
  sl::testing::embedded_broker broker;
  broker.create_topic("t", 1);
  broker.produce("t", 0, "key", "0");
  consumer c{sl::periodic_kafka_offsets{.interval = 1h}, of(broker, {{"t", 0}})};
  REQUIRE(values(c, 1).size() == 1);
  bool const taken = GENERATE(true, false);
  if (!taken) broker.fail_next(sl::testing::request::offset_commit, {RD_KAFKA_RESP_ERR_ILLEGAL_GENERATION});
  CHECK(c.drain(5s) == (taken ? sl::close_result::drained : sl::close_result::abandoned));
}
