#include <sluice/output/kafka.hpp>

#include "../source/written_records.hpp"
#include "catch.hpp"

namespace sl = sluice;
using namespace std::chrono_literals;

namespace {
sl::testing::embedded_broker& broker() {
  static sl::testing::embedded_broker one;
  return one;
}
/// 1: an error, 2: a store_error, 0: nothing was thrown.
template <class F>
int thrown(F&& f) {
  try {
    f();
  } catch (sl::store_error const& e) {
    CHECK(e.code() == sl::errc::client_failed);
    return 2;
  } catch (sl::error const& e) {
    CHECK(e.code() == sl::errc::client_failed);
    return 1;
  }
  return 0;
}
}  // namespace

TEST_CASE("what was produced is there when flush returns") {
  broker().create_topic("clean", 2);
  sl::kafka_output out{{.brokers = broker().bootstrap()}};
  out.flush();
  out.produce("clean", "k", "v", {{"h", sl::as_bytes("1")}}, 1);
  out.produce("clean", nullptr, std::string("w"), 0);
  out.produce("clean", "k", nullptr);
  out.flush(5s);
  auto const found = written::in(broker(), "clean", 2, 3);
  REQUIRE(found.size() == 3);
  CHECK(found[0].value == "w");
  int headers = 0, tombstones = 0;
  for (auto const& r : found) {
    headers += static_cast<int>(r.headers.size());
    tombstones += !r.value;
  }
  CHECK(headers == 1);
  CHECK(tombstones == 1);
  CHECK(out.native_handle() != nullptr);
}

TEST_CASE("a record that can't be written is the record's fault") {
  broker().create_topic("large", 1);
  sl::kafka_output out{{.brokers = broker().bootstrap(), .properties = {{"message.max.bytes", "2000"}}}};
  CHECK(thrown([&] { out.produce("large", "k", std::string(3000, 'x')); }) == 1);
  broker().fail_next(sl::testing::request::produce, {RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE});
  out.produce("large", "k", "canary");
  CHECK(thrown([&] { out.flush(); }) == 1);
  out.produce("large", "k", "fine");
  CHECK(thrown([&] { out.flush(); }) == 0);
}

TEST_CASE("brokers that do not take it are not the record's fault, and a flush ends in time") {
  sl::testing::embedded_broker away;
  away.create_topic("t", 1);
  sl::kafka_output out{{.brokers = away.bootstrap(), .timeout = 300ms}};
  out.produce("t", "k", "first");
  out.flush();
  away.broker_down();
  out.produce("t", "k", "canary");
  auto const began = std::chrono::steady_clock::now();
  std::string why;
  try {
    out.flush();
  } catch (sl::store_error const& e) { why = e.what(); }
  CHECK(std::chrono::steady_clock::now() - began < 2s);
  CHECK(why.find("1 records") != why.npos);
  CHECK(why.find("canary") == why.npos);
  away.broker_up();
  out.flush(10s);
  auto const found = written::in(away, "t", 1, 2);
  REQUIRE(found.size() == 2);
  CHECK(found[1].value == "canary");
}

TEST_CASE(
    "a fatal error that a handler has swallowed is told by the next flush, since other records are gone with it") {
  sl::testing::embedded_broker away;
  away.create_topic("t", 1);
  sl::kafka_output out{{.brokers = away.bootstrap(), .timeout = 300ms}};
  out.produce("t", "k", "first");
  out.flush(5s);
  away.broker_down();
  out.produce("t", "k", "canary");
  rd_kafka_test_fatal_error(out.native_handle(), RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER, "as a test");
  CHECK(thrown([&] { out.produce("t", "k", "2"); }) == 2);
  away.broker_up();
  bool const goes_on = GENERATE(false, true);
  if (goes_on) out.produce("t", "k", "3");
  CHECK(thrown([&] { out.flush(); }) == 2);
  CHECK(thrown([&] { out.flush(10s); }) == 0);
}

TEST_CASE("after a fatal error a new producer goes on") {
  broker().create_topic("fatal", 1);
  sl::kafka_output out{{.brokers = broker().bootstrap()}};
  out.produce("fatal", "k", "1");
  out.flush();
  rd_kafka_test_fatal_error(out.native_handle(), RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER, "as a test");
  CHECK(thrown([&] {
          out.produce("fatal", "k", "2");
          out.flush();
        }) == 2);
  out.produce("fatal", "k", "3");
  CHECK(thrown([&] { out.flush(); }) == 0);
}

TEST_CASE("configuration faults are told when it is made") {
  CHECK_THROWS_AS((sl::kafka_output{{}}), sl::error);
  CHECK_THROWS_AS((sl::kafka_output{{.brokers = "b:1", .properties = {{"acks", "0"}}}}), sl::error);
}
