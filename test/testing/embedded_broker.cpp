#include <sluice/testing/embedded_broker.hpp>

#include "catch.hpp"

#include <thread>

using namespace sluice;
using namespace std::chrono_literals;
using testing::embedded_broker;
using testing::request;

namespace {

embedded_broker& broker() {
  static embedded_broker b;
  return b;
}

rd_kafka_resp_err_t ask_for(std::string const& bootstrap, std::chrono::milliseconds limit) {
  detail::rdkafka_conf conf{rd_kafka_conf_new()};
  rd_kafka_conf_set_log_cb(conf.get(), nullptr);
  rd_kafka_conf_set(conf.get(), "bootstrap.servers", bootstrap.c_str(), nullptr, 0);
  rd_kafka_conf_set(conf.get(), "reconnect.backoff.max.ms", "100", nullptr, 0);
  std::unique_ptr<rd_kafka_t, detail::destroyed_by<rd_kafka_destroy>> client{
      rd_kafka_new(RD_KAFKA_PRODUCER, conf.release(), nullptr, 0)};
  struct rd_kafka_metadata const* found = nullptr;
  auto const e = rd_kafka_metadata(client.get(), 1, nullptr, &found, static_cast<int>(limit.count()));
  if (!e) rd_kafka_metadata_destroy(found);
  return e;
}

}  // namespace

TEST_CASE("produce tells where the record stands", "[broker]") {
  broker().create_topic("one", 2);
  CHECK(broker().produce("one", 0, "k", "a") == offset{0});
  CHECK(broker().produce("one", 0, "k", "b") == offset{1});
  CHECK(broker().produce("one", 1, "k", "c") == offset{0});
  CHECK_THROWS_AS(broker().produce("one", 7, "k", "d"), error);
}

TEST_CASE("produce_all ends when the broker has the last", "[broker]") {
  broker().create_topic("many", 1);
  broker().produce_all("many", 0, std::vector<testing::produced>(5000, {.value = std::string(100, 'x')}));
  CHECK(broker().produce("many", 0, "k", "next") == offset{5000});
  broker().produce_all("many", 0, std::vector<testing::produced>{});
}

TEST_CASE("several threads may produce", "[broker]") {
  broker().create_topic("shared", 2);
  auto const work = [](std::int32_t partition) {
    for (int i = 0; i < 50; ++i) broker().produce("shared", partition, "k", "v");
  };
  std::thread other{work, 1};
  work(0);
  other.join();
  CHECK(broker().produce("shared", 0, "k", "v") == offset{50});
  CHECK(broker().produce("shared", 1, "k", "v") == offset{50});
}

TEST_CASE("a topic that exists can't be created", "[broker]") {
  broker().create_topic("twice", 1);
  CHECK_THROWS_AS(broker().create_topic("twice", 1), error);
}

TEST_CASE("requests fail as told, once each", "[broker]") {
  broker().create_topic("failing", 1);
  broker().fail_next(request::produce, {RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE});
  CHECK_THROWS_AS(broker().produce("failing", 0, "k", "v"), error);
  CHECK(broker().produce("failing", 0, "k", "v") == offset{0});
  broker().delay_next(request::produce, 1ms);
  broker().produce("failing", 0, "k", "v");
  broker().fail_next(request::produce, {RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE, RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE});
  CHECK_THROWS_AS(broker().produce("failing", 0, "k", "v"), error);
  CHECK_THROWS_AS(broker().produce("failing", 0, "k", "v"), error);
  CHECK(broker().produce("failing", 0, "k", "v") == offset{2});
}

TEST_CASE("answers come late as told", "[broker]") {
  broker().create_topic("late", 1);
  broker().produce("late", 0, "k", "v");
  auto const start = std::chrono::steady_clock::now();
  broker().delay_next(request::produce, 300ms);
  broker().produce("late", 0, "k", "v");
  CHECK(std::chrono::steady_clock::now() - start >= 300ms);
}

TEST_CASE("brokers go down and come up", "[broker]") {
  embedded_broker own{2};
  CHECK(ask_for(own.bootstrap(), 5000ms) == RD_KAFKA_RESP_ERR_NO_ERROR);
  own.broker_down();
  CHECK(ask_for(own.bootstrap(), 300ms) != RD_KAFKA_RESP_ERR_NO_ERROR);
  own.broker_up();
  CHECK(ask_for(own.bootstrap(), 5000ms) == RD_KAFKA_RESP_ERR_NO_ERROR);
}
