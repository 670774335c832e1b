#include <sluice/source/rdkafka_producer.hpp>

#include "catch.hpp"
#include "written_records.hpp"

#include <thread>

namespace sl = sluice;
using namespace std::chrono_literals;
using producer = sl::detail::rdkafka_producer;
using written::within;

namespace {
sl::testing::embedded_broker& broker() {
  static sl::testing::embedded_broker one;
  return one;
}
sl::errc code_of(producer::settings const& s) {
  try {
    producer p{s};
  } catch (sl::error const& e) { return e.code(); }
  return {};
}
}  // namespace

TEST_CASE("keys, values and headers arrive as they were, nulls too") {
  broker().create_topic("all", 3);
  producer p{{.brokers = broker().bootstrap()}};
  std::string const long_key(1000, 'k'), zeros("\0\0", 2);
  std::byte const raw[]{std::byte{0xff}, std::byte{0}};
  CHECK_FALSE(p.produce("all", "k", "v", {}, 0, within(5s)));
  CHECK_FALSE(p.produce("all", nullptr, std::nullopt, {}, 0, within(5s)));
  CHECK_FALSE(p.produce("all", "", std::string_view{""}, {}, 0, within(5s)));
  CHECK_FALSE(p.produce("all", long_key, zeros, {}, 1, within(5s)));
  CHECK_FALSE(p.produce("all", std::span{raw}, sl::bytes{},
                        {{"a", sl::as_bytes("1")}, {"a", {}}, {"", sl::as_bytes("")}}, 2, within(5s)));
  CHECK(p.not_reported() == 5);
  REQUIRE(p.flush(within(5s)));
  CHECK(p.not_reported() == 0);
  CHECK_FALSE(p.take_failure());

  auto const found = written::in(broker(), "all", 3, 5);
  REQUIRE(found.size() == 5);
  CHECK(found[0].key == "k");
  CHECK(found[0].value == "v");
  CHECK_FALSE(found[1].key);
  CHECK_FALSE(found[1].value);
  CHECK(found[2].key == "");
  CHECK(found[2].value == "");
  CHECK(found[3].key == long_key);
  CHECK(found[3].value == zeros);
  CHECK(found[4].key == std::string("\xff\0", 2));
  CHECK_FALSE(found[4].value);
  REQUIRE(found[4].headers.size() == 3);
  CHECK(found[4].headers[0] == std::pair{std::string("a"), std::optional<std::string>("1")});
  CHECK(found[4].headers[1] == std::pair{std::string("a"), std::optional<std::string>()});
  CHECK(found[4].headers[2] == std::pair{std::string(""), std::optional<std::string>("")});
}

TEST_CASE("without a partition the key decides") {
  broker().create_topic("keyed", 4);
  producer p{{.brokers = broker().bootstrap()}};
  for (int i = 0; i < 40; ++i)
    CHECK_FALSE(p.produce("keyed", i % 2 ? "odd" : "even", "x", {}, sl::any_partition, within(5s)));
  REQUIRE(p.flush(within(5s)));
  std::map<std::string, std::map<int, int>> where;
  for (auto const& r : written::in(broker(), "keyed", 4, 40)) ++where[*r.key][r.partition];
  CHECK(where["odd"].size() == 1);
  CHECK(where["even"].begin()->second == 20);
}

TEST_CASE("a delivery that fails is told, once, by where and why") {
  broker().create_topic("refusing", 1);
  producer p{{.brokers = broker().bootstrap()}};
  broker().fail_next(sl::testing::request::produce, {RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED});
  CHECK_FALSE(p.produce("refusing", "k", "canary", {}, 0, within(5s)));
  REQUIRE(p.flush(within(5s)));
  auto const failure = p.take_failure();
  CHECK(failure.code == RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED);
  CHECK(failure.why.find("refusing/0") != failure.why.npos);
  CHECK(failure.why.find("canary") == failure.why.npos);
  CHECK_FALSE(p.take_failure());
}

TEST_CASE("what can't be sent is told at once") {
  broker().create_topic("small", 1);
  producer p{{.brokers = broker().bootstrap(), .properties = {{"message.max.bytes", "2000"}}}};
  auto const large = p.produce("small", "k", std::string(3000, 'x'), {}, 0, within(5s));
  CHECK(large.code == RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE);
  CHECK(sl::detail::is_the_records_fault(large.code));
  CHECK(p.produce("", "k", "v", {}, 0, within(5s)).code == RD_KAFKA_RESP_ERR__INVALID_ARG);
  CHECK(p.produce(std::string_view{"a\0b", 3}, "k", "v", {}, 0, within(5s)));
  CHECK(p.not_reported() == 0);
}

TEST_CASE("a full queue is waited for, not overrun and not deadlocked") {
  broker().create_topic("busy", 1);
  producer p{{.brokers = broker().bootstrap(), .properties = {{"queue.buffering.max.messages", "10"}}}};
  for (int i = 0; i < 200; ++i) REQUIRE_FALSE(p.produce("busy", nullptr, std::to_string(i), {}, 0, within(5s)));
  REQUIRE(p.flush(within(5s)));
  auto const found = written::in(broker(), "busy", 1, 200);
  REQUIRE(found.size() == 200);
  for (int i = 0; i < 200; ++i) CHECK(found[static_cast<std::size_t>(i)].value == std::to_string(i));
}

TEST_CASE("without brokers nothing hangs") {
  sl::testing::embedded_broker gone;
  gone.create_topic("t", 1);
  producer p{{.brokers = gone.bootstrap(), .properties = {{"queue.buffering.max.messages", "2"}}}};
  gone.broker_down();
  auto const start = std::chrono::steady_clock::now();
  CHECK_FALSE(p.produce("t", "k", "v", {}, 0, within(200ms)));
  CHECK_FALSE(p.produce("t", "k", "v", {}, 0, within(200ms)));
  CHECK(p.produce("t", "k", "v", {}, 0, within(200ms)).code == RD_KAFKA_RESP_ERR__QUEUE_FULL);
  CHECK_FALSE(p.flush(within(200ms)));
  CHECK(p.not_reported() == 2);
  CHECK(std::chrono::steady_clock::now() - start < 2s);
}

TEST_CASE("configuration faults are told by key, never by value") {
  auto const with = [](std::map<std::string, std::string> properties) {
    return producer::settings{.brokers = "127.0.0.1:1", .properties = std::move(properties)};
  };
  CHECK(code_of({}) == sl::errc::bad_configuration);
  CHECK(code_of(with({{"lingr.ms", "1"}})) == sl::errc::unknown_property);
  CHECK(code_of(with({{"linger.ms", "soon"}})) == sl::errc::bad_configuration);
  CHECK(code_of(with({{"acks", "1"}})) == sl::errc::owned_property);
  CHECK(code_of(with({{"bootstrap.servers", "x"}})) == sl::errc::owned_property);
  CHECK(code_of({.brokers = "b:1", .properties = {{"transactional.id", "x"}}, .owned = {{"transactional.id", "y"}}}) ==
        sl::errc::owned_property);
  CHECK(code_of(with({{"security.protocol", "sasl_plaintext"},
                      {"sasl.mechanism", "PLAIN"},
                      {"sasl.username", "u"},
                      {"sasl.password", "canary"}})) == sl::errc::bad_configuration);
  CHECK(code_of(with({{"linger.ms", "1"}, {"compression.codec", "lz4"}})) == sl::errc{});
}

TEST_CASE("of a consumer's properties a producer takes over the connection's") {
  auto const some = sl::detail::connection_properties({{"security.protocol", "ssl"},
                                                       {"ssl.ca.location", "x"},
                                                       {"sasl.username", "u"},
                                                       {"client.id", "c"},
                                                       {"socket.timeout.ms", "1"},
                                                       {"session.timeout.ms", "1"},
                                                       {"fetch.wait.max.ms", "1"},
                                                       {"partition.assignment.strategy", "range"},
                                                       {"queued.min.messages", "1"},
                                                       {"group.instance.id", "g"},
                                                       {"isolation.level", "read_committed"}});
  std::vector<std::string> keys;
  for (auto const& [key, value] : some) keys.push_back(key);
  CHECK(keys == std::vector<std::string>{"client.id", "sasl.username", "security.protocol", "socket.timeout.ms",
                                         "ssl.ca.location"});
}

TEST_CASE("log lines come to the function that was given, on the thread that asks") {
  auto const me = std::this_thread::get_id();
  std::vector<std::string> lines;
  bool elsewhere = false;
  // A secret that librdkafka happens to say is struck out.
  producer p{{.brokers = "127.0.0.1:1",
              .properties = {{"sasl.password", "Connection refused"}},
              .log = [&](int, std::string_view line) {
                elsewhere |= std::this_thread::get_id() != me;
                lines.emplace_back(line);
              }}};
  auto const by = within(5s);
  auto const told = [&] {
    for (auto const& line : lines)
      if (line.find("failed: ***") != line.npos) return true;
    return false;
  };
  while (!told() && std::chrono::steady_clock::now() < by) p.serve(50);
  CHECK(told());
  for (auto const& line : lines) CHECK(line.find("refused") == line.npos);
  CHECK_FALSE(elsewhere);
}
