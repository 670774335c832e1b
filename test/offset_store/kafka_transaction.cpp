#include <sluice/offset_store/kafka_transaction.hpp>

#include <thread>

#include "../source/written_records.hpp"
#include "catch.hpp"
#include "thrown.hpp"

namespace sl = sluice;
using namespace std::chrono_literals;
using written::within;

static_assert(!std::is_copy_constructible_v<sl::kafka_transaction>);

namespace {
struct fixture {
  sl::testing::embedded_broker broker{};
  sl::detail::transactional_producer producer{
      {.brokers = broker.bootstrap(), .properties = {{"queue.buffering.max.messages", "4"}}}, "billing-1", 2000ms};
  sl::kafka_transaction tx{producer};
  sl::detail::rdkafka_list offsets = sl::detail::make_rdkafka_list(0);
  std::unique_ptr<rd_kafka_consumer_group_metadata_t,
                  sl::detail::destroyed_by<rd_kafka_consumer_group_metadata_destroy>>
      group{rd_kafka_consumer_group_metadata_new("billing")};
  fixture() {
    broker.create_topic("clean", 1);
    producer.begin(within(5s));
  }
  auto end() { return producer.commit(*offsets, *group, within(2s)); }
  auto commit() { return end().what; }
};
}  // namespace

TEST_CASE("a handler writes keys, headers, nulls and partitions") {
  fixture f;
  f.tx.produce("clean", "k", nullptr, {{"h", sl::as_bytes("1")}});
  f.tx.produce("clean", nullptr, std::string("v"), 0);
  CHECK(f.tx.native_handle() == f.producer.producer().native_handle());
  CHECK(f.commit() == sl::detail::transaction_end::committed);
  auto const found = written::in(f.broker, "clean", 1, 2);
  REQUIRE(found.size() == 2);
  CHECK(found[0].key == "k");
  CHECK_FALSE(found[0].value);
  CHECK(found[0].headers.size() == 1);
  CHECK_FALSE(found[1].key);
  CHECK(found[1].value == "v");
}

TEST_CASE("a record that can't be written is the handler's fault, and leaves the transaction as it was") {
  fixture f;
  try {
    f.tx.produce("clean", "k", std::string(9 << 20, 'x'));
    FAIL("taken");
  } catch (sl::store_error const&) { FAIL("not the store's fault"); } catch (sl::error const& e) {
    CHECK(e.code() == sl::errc::client_failed);
  }
  f.tx.produce("clean", "k", "small");
  CHECK(f.commit() == sl::detail::transaction_end::committed);
}

TEST_CASE("brokers that take nothing end the transaction, even where the handler catches it") {
  fixture f;
  f.broker.broker_down();
  auto const began = std::chrono::steady_clock::now();
  auto const fill = [&] {
    for (int i = 0; i < 50; ++i) f.tx.produce("clean", "k", "v");  // some may have got through before it was down
  };
  CHECK_THROWS_AS(fill(), sl::store_error);
  CHECK(std::chrono::steady_clock::now() - began < 4s);
  CHECK(f.commit() == sl::detail::transaction_end::aborted);
}

TEST_CASE("a topic that may not be written is a missing right, at whichever record it comes to light") {
  fixture f;
  f.broker.fail_next(sl::testing::request::produce, {RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED});
  auto const e = error_of([&] {
    for (auto const give_up = within(10s); std::chrono::steady_clock::now() < give_up; std::this_thread::sleep_for(5ms))
      f.tx.produce("clean", "k", "v");
  });
  CHECK(e.of_store);
  CHECK(e.code == sl::errc::access_denied);
  CHECK_THAT(e.text, Catch::Matchers::ContainsSubstring("clean") && Catch::Matchers::ContainsSubstring("WRITE"));
  auto const end = f.end();
  CHECK(end.what == sl::detail::transaction_end::aborted);
  CHECK(end.code == sl::errc::access_denied);
}

TEST_CASE("outside a transaction nothing is written") {
  fixture f;
  f.producer.abort();
  CHECK_THROWS_AS(f.tx.produce("clean", "k", "v"), sl::store_error);
}
