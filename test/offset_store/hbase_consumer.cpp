// A consumer on HBase as users write it, which takes over from a program on Spark.
#include <sluice/offset_store/hbase_read.hpp>
#include <sluice/sluice.hpp>
#include <sluice/testing/embedded_broker.hpp>

#include <sstream>

#include "contract.hpp"
#include "servers/small_hbase.hpp"
#include "thrown.hpp"

namespace {

using namespace std::chrono_literals;

struct fixture {
  servers::small_hbase server{};
  sl::testing::embedded_broker broker{};
  sl::kafka_partitions source{.brokers = broker.bootstrap(), .group = "billing", .partitions = {{"orders", 0}}};
  std::vector<std::int64_t> read{};
  std::ostringstream told{};

  fixture() {
    broker.create_topic("orders", 1);
    for (int n = 0; n < 20; ++n) broker.produce("orders", 0, "k", std::to_string(n));
  }
  void spark_stands_at(std::string const& next) { server.rows["orders:billing:1795310688831"] = {{"offsets:0", next}}; }
  /// Until nothing comes any more.
  void run() {
    sl::stream_consumer consumer{sl::at_least_once{}, source, server.config(), sl::log_to{&told}};
    auto const handler = [&](sl::batch const& batch) {
      for (sl::record r : batch) read.push_back(r.offset().value());
    };
    for (int idle = 0; idle < 10;) idle += consumer.step(handler, 50ms).records == 0;
  }
  std::int64_t stored() const {
    auto const all = sl::read_positions(server.config(), sl::context{.group = "billing"}, contract::soon());
    REQUIRE(all.size() == 1);
    return all[0].next.value();
  }
};

}  // namespace

TEST_CASE_METHOD(fixture, "records are read from where Spark's newest row stands, and its history goes on") {
  spark_stands_at("17");
  run();
  CHECK(read == std::vector<std::int64_t>{17, 18, 19});
  CHECK(stored() == 20);
  CHECK(std::prev(server.rows.lower_bound("orders:billing;"))->second.at("offsets:0") == "20");
  broker.produce("orders", 0, "k", "20");
  run();
  CHECK(read == std::vector<std::int64_t>{17, 18, 19, 20});
}

TEST_CASE_METHOD(fixture, "a row of Spark's that lies beyond the log is told, or the log's end is gone on from") {
  spark_stands_at("99");
  SECTION("told") {
    source.on_out_of_range = sl::out_of_range::stop;
    CHECK(error_of([&] { run(); }).code == sl::errc::out_of_range);
    CHECK(read.empty());
  }
  SECTION("nearest") {
    run();
    CHECK(stored() == 20);
  }
}

TEST_CASE_METHOD(fixture, "a row of Spark's that is no offset is told, and nothing is read until it is mended") {
  spark_stands_at("canary");
  auto const e = error_of([&] { run(); });
  CHECK(read.empty());
  CHECK(e.code == sl::errc::store_damaged);
  CHECK_THAT(e.text, ContainsSubstring("row orders:billing:1795310688831, column offsets:0: its value is no offset") &&
                         !ContainsSubstring("canary"));
  spark_stands_at("18");
  run();
  CHECK(read == std::vector<std::int64_t>{18, 19});
}
