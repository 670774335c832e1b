#include <sluice/on_failure/dead_letter_message.hpp>

#include "../source/written_records.hpp"
#include "catch.hpp"
#include "some_records.hpp"

using namespace std::chrono_literals;
using written::within;

TEST_CASE("letters of one key go to one partition, a letter without a key is taken too") {
  sl::testing::embedded_broker broker;
  broker.create_topic("dead", 4);
  sl::detail::rdkafka_producer producer{{.brokers = broker.bootstrap()}};
  std::string const key = "k", value = "v";
  for (int i = 0; i < 10; ++i) {
    sl::detail::message const m{
        .key = i ? key.data() : nullptr, .value = value.data(), .key_size = i ? 1u : 0u, .value_size = 1, .at = i};
    sl::detail::part const p{.begin = &m, .end = &m + 1, .range = {.of = {"orders", i}}};
    CHECK_FALSE(
        sl::detail::produce_letter(producer, "dead", {.what = {&m, &p}, .error = std::string("a\0b", 3)}, within(5s)));
  }
  REQUIRE(producer.flush(within(5s)));
  auto const found = written::in(broker, "dead", 4, 10);
  REQUIRE(found.size() == 10);
  std::map<std::int32_t, int> with_key;
  for (auto const& r : found) {
    if (r.key) ++with_key[r.partition];
    CHECK(r.headers.at(0).first == "sluice.topic");
    CHECK(r.headers.at(4) ==
          std::pair{std::string("sluice.error"), std::optional<std::string>(std::string("a\0b", 3))});
  }
  CHECK(with_key.size() == 1);
}

TEST_CASE("a record that came back and failed again has each of the letter's headers once") {
  sl::testing::embedded_broker broker;
  broker.create_topic("again", 1);
  sl::detail::rdkafka_producer producer{{.brokers = broker.bootstrap()}};
  some_records r{{"orders", 3}};
  r.add(41, "k", "v",
        {{"sluice.topic", "old"},
         {"own", "1"},
         {"sluice.error", "old"},
         {"sluice.returned", "2"},
         {"sluice.first", "1"},
         {"sluiceful", "mine"}});
  CHECK_FALSE(sl::detail::produce_letter(producer, "again", {.what = r[0], .error = "new"}, within(5s)));
  REQUIRE(producer.flush(within(5s)));
  using header = std::pair<std::string, std::optional<std::string>>;
  auto const found = written::in(broker, "again", 1, 1).at(0).headers;
  CHECK(found == std::vector<header>{{"own", "1"},
                                     {"sluice.returned", "2"},
                                     {"sluiceful", "mine"},
                                     {"sluice.topic", "orders"},
                                     {"sluice.partition", "3"},
                                     {"sluice.offset", "41"},
                                     {"sluice.timestamp", "1700000000041"},
                                     {"sluice.error", "new"},
                                     {"sluice.attempts", "1"},
                                     {"sluice.first", "0"}});
}
