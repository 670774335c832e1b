#include <sluice/on_failure/dead_letter_message.hpp>

#include "../source/written_records.hpp"
#include "catch.hpp"

namespace sl = sluice;
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
