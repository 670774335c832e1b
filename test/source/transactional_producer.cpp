#include <sluice/source/transactional_producer.hpp>

#include "catch.hpp"
#include "written_records.hpp"

namespace sl = sluice;
using namespace std::chrono_literals;
using sl::detail::transaction_end;
using sl::detail::transactional_producer;
using sl::testing::request;
using written::within;

namespace {

constexpr auto init_producer_id = static_cast<request>(22), add_offsets = static_cast<request>(25),
               end_txn = static_cast<request>(26), txn_offset_commit = static_cast<request>(28);

struct fixture {
  sl::testing::embedded_broker own{};
  sl::testing::embedded_broker& broker() { return own; }
  static std::string new_name(std::string const& base) {
    static int n = 0;
    return base + std::to_string(++n);
  }
  std::string topic = new_name("results");
  std::vector<std::string> log{};
  transactional_producer producer{
      {.brokers = broker().bootstrap(), .log = [this](int, std::string_view line) { log.emplace_back(line); }},
      new_name("id"),
      2000ms};
  sl::detail::rdkafka_list offsets = sl::detail::make_rdkafka_list(1);
  std::unique_ptr<rd_kafka_consumer_group_metadata_t,
                  sl::detail::destroyed_by<rd_kafka_consumer_group_metadata_destroy>>
      group{rd_kafka_consumer_group_metadata_new("billing")};
  fixture() {
    broker().create_topic(topic, 1);
    broker().create_topic("orders", 4);  // librdkafka 2.8 looks for it
    sl::detail::append(*offsets, {"orders", 0}).offset = 7;
  }
  void produce(std::string const& value) {
    auto const failure = producer.produce(topic, nullptr, value, {}, 0);
    INFO(failure.why);
    REQUIRE_FALSE(failure);
  }
  transaction_end commit() { return producer.commit(*offsets, *group, within(2s)); }
  std::vector<std::string> results(std::size_t count) {
    std::vector<std::string> values;
    for (auto const& r : written::in(broker(), topic, 1, count)) values.push_back(*r.value);
    return values;
  }
};
using texts = std::vector<std::string>;

}  // namespace

TEST_CASE("transactions follow one another on one producer") {
  fixture f;
  f.producer.ready(within(5s));
  auto* const handle = f.producer.producer().native_handle();
  for (auto const* value : {"a", "b", "c"}) {
    f.producer.begin(within(2s));
    CHECK(f.producer.is_open());
    f.produce(value);
    CHECK(f.commit().what == transaction_end::committed);
    CHECK_FALSE(f.producer.is_open());
  }
  f.producer.begin(within(2s));
  CHECK(f.commit().what == transaction_end::committed);
  CHECK(f.producer.producer().native_handle() == handle);
  CHECK(f.results(3) == texts{"a", "b", "c"});
}

TEST_CASE("after an abort the same producer goes on") {
  fixture f;
  f.producer.begin(within(5s));
  auto* const handle = f.producer.producer().native_handle();
  f.produce("gone");
  f.producer.abort();
  CHECK_FALSE(f.producer.is_open());
  f.producer.abort();
  f.producer.begin(within(2s));
  f.produce("kept");
  CHECK(f.commit().what == transaction_end::committed);
  CHECK(f.producer.producer().native_handle() == handle);
}

TEST_CASE("begin ends what was left open") {
  fixture f;
  f.producer.begin(within(5s));
  f.produce("left");
  f.producer.begin(within(2s));
  CHECK(f.commit().what == transaction_end::committed);
}

TEST_CASE("offsets that the group refuses abort the transaction") {
  auto const code = GENERATE(RD_KAFKA_RESP_ERR_ILLEGAL_GENERATION, RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID,
                             RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID);
  fixture f;
  f.producer.begin(within(5s));
  f.produce("x");
  f.broker().fail_next(txn_offset_commit, {code});
  auto const end = f.commit();
  CHECK(end.what == transaction_end::aborted);
  CHECK(end.moved_on);
  CHECK_FALSE(end.fenced);
  CHECK_FALSE(end.why.empty());
  f.producer.begin(within(2s));
  f.produce("y");
  CHECK(f.commit().what == transaction_end::committed);
}

TEST_CASE("a fenced producer is given up, its transaction with it") {
  fixture f;
  f.producer.begin(within(5s));
  f.produce("x");
  f.broker().fail_next(add_offsets, {RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH});
  auto const end = f.commit();
  CHECK(end.what == transaction_end::aborted);
  CHECK(end.fenced);
  CHECK_FALSE(f.producer.is_open());
}

TEST_CASE("fenced at the commit itself is an end that is not known") {
  fixture f;
  f.producer.begin(within(5s));
  f.produce("x");
  f.broker().fail_next(end_txn, {RD_KAFKA_RESP_ERR_PRODUCER_FENCED});
  auto const end = f.commit();
  CHECK(end.what == transaction_end::unknown);
  CHECK(end.fenced);
}

TEST_CASE("after a commit whose answer is late a new producer is made, and goes on") {
  fixture f;
  f.producer.begin(within(5s));
  f.produce("x");
  f.broker().delay_next(end_txn, 6s);
  auto const began = std::chrono::steady_clock::now();
  auto const end = f.commit();
  auto const took = std::chrono::steady_clock::now() - began;
  CHECK(end.what == transaction_end::unknown);
  CHECK_FALSE(end.fenced);
  CHECK(took > 1s);
  CHECK(took < 5s);
  f.producer.ready(within(5s));
  f.producer.begin(within(2s));
  CHECK(f.commit().what == transaction_end::committed);
}

TEST_CASE("a result that is not delivered aborts the transaction, and is told") {
  fixture f;
  f.producer.begin(within(5s));
  f.broker().fail_next(request::produce, {RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE});
  f.produce("canary");
  auto const end = f.commit();
  CHECK(end.what == transaction_end::aborted);
  CHECK(end.why.find(f.topic) != end.why.npos);
  CHECK(end.why.find("canary") == end.why.npos);
  f.producer.begin(within(2s));
  f.produce("next");
  CHECK(f.commit().what == transaction_end::committed);
}

TEST_CASE("a failure that was noted keeps the transaction from being committed") {
  fixture f;
  f.producer.begin(within(5s));
  f.produce("x");
  f.producer.note({RD_KAFKA_RESP_ERR__QUEUE_FULL, "no room"});
  auto const end = f.commit();
  CHECK(end.what == transaction_end::aborted);
  CHECK(end.why == "no room");
  f.producer.begin(within(2s));
  f.producer.note({RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE, "the record's own"});
  CHECK(f.commit().what == transaction_end::committed);
}

TEST_CASE("a producer that may not begin says so") {
  fixture f;
  f.broker().fail_next(init_producer_id, {RD_KAFKA_RESP_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED});
  try {
    f.producer.ready(within(5s));
    FAIL("ready");
  } catch (sl::store_error const& e) {
    CHECK(e.code() == sl::errc::access_denied);
    CHECK(std::string(e.what()).find("transactional_id \"id") != std::string::npos);
    CHECK(std::string(e.what()).find("WRITE on the transactional id") != std::string::npos);
  }
  f.producer.ready(within(5s));
}

TEST_CASE("without a broker nothing begins, in time; when it is back the same wait goes on") {
  sl::testing::embedded_broker away;
  transactional_producer producer{{.brokers = away.bootstrap()}, "id", 2000ms};
  away.broker_down();
  for (int i = 0; i < 2; ++i) {
    auto const began = std::chrono::steady_clock::now();
    CHECK_THROWS_AS(producer.ready(within(200ms)), sl::store_error);
    CHECK(std::chrono::steady_clock::now() - began < 2s);
  }
  away.broker_up();
  producer.ready(within(10s));
}

TEST_CASE("without a broker an abort ends in time, and the producer is given up") {
  sl::testing::embedded_broker away;
  away.create_topic("t", 1);
  transactional_producer producer{{.brokers = away.bootstrap()}, "id", 1000ms};
  producer.begin(within(5s));
  REQUIRE_FALSE(producer.produce("t", nullptr, "x", {}, 0));
  away.broker_down();
  auto const began = std::chrono::steady_clock::now();
  producer.abort();
  CHECK(std::chrono::steady_clock::now() - began < 3s);
  CHECK_FALSE(producer.is_open());
}

TEST_CASE("the library's own properties are refused among the user's") {
  for (auto const* key : {"transactional.id", "transaction.timeout.ms", "enable.idempotence", "acks"}) {
    INFO(key);
    try {
      transactional_producer producer{{.brokers = "b:1", .properties = {{key, "1"}}}, "id", 1000ms};
      FAIL("taken");
    } catch (sl::error const& e) { CHECK(e.code() == sl::errc::owned_property); }
  }
}
