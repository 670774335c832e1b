#include <sluice/source/rdkafka_config.hpp>

#include "refused_properties.hpp"

namespace {

std::string get(rd_kafka_conf_t* conf, char const* key) {
  char value[512] = "";
  std::size_t size = sizeof value;
  if (rd_kafka_conf_get(conf, key, value, &size) == RD_KAFKA_CONF_OK) return value;
  auto* topic = rd_kafka_conf_get_default_topic_conf(conf);
  size = sizeof value;
  if (topic && rd_kafka_topic_conf_get(topic, key, value, &size) == RD_KAFKA_CONF_OK) return value;
  return "?";
}

}  // namespace

TEST_CASE("what the library owns is set", "[config]") {
  auto settings = with({});
  settings.max_buffered = 64 << 20;
  settings.expected_partitions = 16;
  auto const conf = detail::make_rdkafka_conf(settings);
  CHECK(get(conf.get(), "metadata.broker.list") == "localhost:1");
  CHECK(get(conf.get(), "group.id") == "g");
  CHECK(get(conf.get(), "enable.auto.commit") == "false");
  CHECK(get(conf.get(), "enable.auto.offset.store") == "false");
  CHECK(get(conf.get(), "auto.offset.reset") == "error");
  CHECK(get(conf.get(), "enable.partition.eof") == "false");
  CHECK(get(conf.get(), "log.queue") == "true");
  CHECK(get(conf.get(), "queued.max.messages.kbytes") == "4096");
  CHECK(get(conf.get(), "enable.ssl.certificate.verification") == "true");
}

TEST_CASE("defaults give way to the user, under every name", "[config]") {
  auto const plain = detail::make_rdkafka_conf(with({}));
  CHECK(get(plain.get(), "fetch.message.max.bytes") == "131072");
  CHECK(get(plain.get(), "queued.min.messages") == "200000");
  CHECK(get(plain.get(), "fetch.wait.max.ms") == "10");
  CHECK(get(plain.get(), "check.crcs") == "true");
  CHECK(get(plain.get(), "isolation.level") == "read_committed");
  CHECK(get(plain.get(), "partition.assignment.strategy") == "range");
  bool const old = detail::running_rdkafka() < detail::rdkafka_version(2, 2, 0);
  CHECK(get(plain.get(), old ? "fetch.error.backoff.ms" : "fetch.queue.backoff.ms") == "1");

  auto const own = detail::make_rdkafka_conf(with({{"max.partition.fetch.bytes", "70000"},
                                                   {"isolation.level", "read_uncommitted"},
                                                   {"partition.assignment.strategy", "roundrobin"}}));
  CHECK(get(own.get(), "fetch.message.max.bytes") == "70000");
  CHECK(get(own.get(), "isolation.level") == "read_uncommitted");
  CHECK(get(own.get(), "partition.assignment.strategy") == "roundrobin");
}

TEST_CASE("a wrong value is named by its key alone, but a number's range is told", "[config]") {
  auto const number = refused({{"session.timeout.ms", "99999999"}});
  CHECK(number.code == errc::bad_configuration);
  CHECK_THAT(number.text, ContainsSubstring("session.timeout.ms") && ContainsSubstring("3600000"));
  for (auto const* key : {"session.timeout.ms", "security.protocol", "enable.ssl.certificate.verification",
                          "ssl.truststore.location", "partition.assignment.strategy", "isolation.level"}) {
    CAPTURE(key);
    auto const r = refused({{key, canary}});
    CHECK_THAT(r.text, ContainsSubstring(key) && !ContainsSubstring(canary));
  }
}

TEST_CASE("passwords do not travel in the clear unless that was said", "[config]") {
  for (auto const* mechanism : {"PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"}) {
    std::map<std::string, std::string> given{{"security.protocol", "sasl_plaintext"},
                                             {"sasl.mechanism", mechanism},
                                             {"sasl.username", "user-" + canary},
                                             {"sasl.password", canary}};
    auto const r = refused(given);
    CHECK(r.code == errc::bad_configuration);
    CHECK_THAT(r.text, ContainsSubstring("sasl_ssl") && !ContainsSubstring(canary));
    given[detail::plaintext_credentials] = "true";
    CHECK_NOTHROW(detail::make_rdkafka_conf(with(given)));
    given.erase(detail::plaintext_credentials);
    given["security.protocol"] = "SASL_SSL";
    CHECK_NOTHROW(detail::make_rdkafka_conf(with(given)));
  }
}

TEST_CASE("tokens need somebody who gives them, and TLS; nothing else needs either", "[config]") {
  properties_t const bearer{{"security.protocol", "sasl_ssl"}, {"sasl.mechanism", "OAUTHBEARER"}};
  auto const check = [](properties_t const& given, bool gives_tokens) {
    detail::check_credentials(given, gives_tokens);
  };
  auto const and_also = [&](properties_t more) {
    more.insert(bearer.begin(), bearer.end());
    return more;
  };
  CHECK_NOTHROW(check(bearer, true));
  CHECK_NOTHROW(check(and_also({{"sasl.oauthbearer.method", "OIDC"}}), false));
  CHECK_NOTHROW(check(and_also({{"enable.sasl.oauthbearer.unsecure.jwt", "true"}}), false));
  CHECK_THAT(refused([&] { check(bearer, false); }).text, ContainsSubstring("kafka{.token}"));
  for (auto const& given : {properties_t{}, and_also({{"sasl.oauthbearer.method", "oidc"}}),
                            and_also({{"enable.sasl.oauthbearer.unsecure.jwt", "1"}}),
                            properties_t{{"security.protocol", "sasl_ssl"}, {"sasl.mechanisms", "PLAIN"}}})
    CHECK_THAT(refused([&] { check(given, true); }).text, ContainsSubstring(".token"));
  auto plain = and_also({});
  plain["security.protocol"] = "SASL_PLAINTEXT";
  CHECK_THAT(refused([&] { check(plain, true); }).text, ContainsSubstring("the token without TLS"));
  plain[detail::plaintext_credentials] = "true";
  CHECK_NOTHROW(check(plain, true));
  CHECK_THAT(refused([&] { check({{"security.protocol", "SASL_SSL"}}, false); }).text,
             ContainsSubstring("needs sasl.mechanism"));
}

TEST_CASE("cooperative assignment depends on the library that runs", "[config]") {
  std::map<std::string, std::string> const cooperative{{"partition.assignment.strategy", "cooperative-sticky"}};
  auto const at = [&](int major, int minor, int patch, bool commits) {
    detail::check_strategy(cooperative, commits, detail::rdkafka_version(major, minor, patch));
  };
  CHECK_THROWS_AS(at(2, 0, 2, false), error);
  CHECK_THROWS_AS(at(2, 6, 0, false), error);
  CHECK_NOTHROW(at(2, 6, 1, false));
  CHECK_THROWS_AS(at(2, 9, 0, true), error);
  CHECK_NOTHROW(at(2, 10, 0, true));
  CHECK_THAT(refused([&] { at(2, 0, 2, false); }).text, ContainsSubstring("2.6.1") && ContainsSubstring("2.0.2"));
  CHECK_THROWS_AS(detail::check_strategy({{"group.protocol", "consumer"}}, false, detail::rdkafka_version(2, 8, 0)),
                  error);
  CHECK_NOTHROW(detail::check_strategy({{"group.protocol", "consumer"}}, false, detail::rdkafka_version(2, 12, 0)));
}

TEST_CASE("what is missing is named", "[config]") {
  CHECK_THAT(refused([] { detail::make_rdkafka_conf({.group = "g"}); }).text, ContainsSubstring("kafka{.brokers"));
  CHECK_THAT(refused([] { detail::make_rdkafka_conf({.brokers = "b"}); }).text,
             ContainsSubstring("give the source a .group"));
  CHECK_NOTHROW(detail::make_rdkafka_conf({.brokers = "b", .subscribe = false, .commits = false}));
}
