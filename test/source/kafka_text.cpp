#include <sluice/source/kafka_text.hpp>

#include "catch.hpp"

namespace sl = sluice;
using namespace std::chrono_literals;
using Catch::Matchers::ContainsSubstring;

TEST_CASE("a source is printed as it is written, its defaults too") {
  sl::kafka const source{.brokers = "a:9092,b:9092",
                         .group = "billing",
                         .topics = {"orders", "refunds"},
                         .start = sl::start_at::latest,
                         .on_position_error = sl::position_error::nearest,
                         .start_from = {{{"orders", 1}, sl::offset{7}}},
                         .properties = {{"client.id", "x"}, {"session.timeout.ms", "6000"}}};
  CHECK(
      to_string(source) ==
      "kafka{.brokers = \"a:9092,b:9092\", .group = \"billing\", .topics = {\"orders\", \"refunds\"}, .start = latest, "
      ".start_from = {orders/1 at 7}, .on_out_of_range = nearest, .on_position_error = nearest, "
      ".max_buffered = 268435456, .expected_partitions = 64, .timeout = 10000 ms, "
      ".properties = {client.id=x, session.timeout.ms=6000}}");
  CHECK_THAT(to_string(sl::kafka{.pattern = "o.*"}), ContainsSubstring(".pattern = \"o.*\", .start = earliest"));
  CHECK_THAT(to_string(sl::kafka_partitions{.partitions = {{"orders", 3}}, .start = sl::start_at::at(sl::offset{5})}),
             ContainsSubstring("kafka_partitions{") && ContainsSubstring(".partitions = {orders/3}, .start = at 5"));
  auto const since = sl::start_at::since(std::chrono::system_clock::time_point{1s});
  CHECK_THAT(to_string(sl::kafka{.start = since}), ContainsSubstring(".start = since 1000 ms"));
}

TEST_CASE("what may be a secret is not printed: unknown names neither, nor a secret under an innocent name's kin") {
  std::string const canary = "canary-81c2";
  sl::kafka source{.brokers = "a:9092", .group = "g", .topics = {"t"}};
  for (auto const* name :
       {"sasl.password", "sasl.username", "ssl.key.password", "ssl.key.pem", "ssl.keystore.password",
        "ssl.key.location", "sasl.oauthbearer.client.secret", "sasl.oauthbearer.config", "sasl.oauthbearer.extensions",
        "sasl.kerberos.kinit.cmd", "some.future.password", "session.timeout.ms", "a.b.bytes", "client.id.password"})
    source.properties[name] = canary;
  source.token = [&] { return sl::access_token{.value = canary}; };
  auto const text = to_string(source);
  CHECK_THAT(text,
             !ContainsSubstring(canary) && ContainsSubstring("sasl.password=***") && ContainsSubstring(".token = ***"));
  sl::kafka_partitions const by_hand{.properties = source.properties, .token = source.token};
  CHECK_THAT(to_string(by_hand), !ContainsSubstring(canary));
}
