#include <sluice/source/rdkafka_properties.hpp>

#include "refused_properties.hpp"

TEST_CASE("owned properties are refused, under all their names", "[config]") {
  for (auto const& [name, instead] : detail::owned_properties) {
    CAPTURE(name);
    auto const r = refused({{std::string(name), canary}});
    CHECK(r.code == errc::owned_property);
    CHECK_THAT(r.text, ContainsSubstring(std::string(name)) && ContainsSubstring(std::string(instead)) &&
                           !ContainsSubstring(canary));
  }
  auto settings = with({{"isolation.level", "read_uncommitted"}});
  settings.committed_only = true;
  CHECK(refused([&] { detail::make_rdkafka_conf(settings); }).code == errc::owned_property);
}

TEST_CASE("a producer's promises are not the source's to set: where they are set is told", "[config]") {
  CHECK_THAT(refused({{"transactional.id", canary}}).text, ContainsSubstring("kafka_offsets{.transactional_id}"));
  CHECK_THAT(refused({{"transaction.timeout.ms", "1"}}).text, ContainsSubstring("kafka_offsets{.transaction_timeout}"));
  for (auto const* key : {"enable.idempotence", "acks", "request.required.acks"})
    CHECK_THAT(refused({{key, "1"}}).text, ContainsSubstring(key) && ContainsSubstring("kafka_output"));
}

TEST_CASE("another system's names get ours", "[config]") {
  for (auto const& [name, instead] : detail::foreign_properties) {
    CAPTURE(name);
    auto const r = refused({{std::string(name), canary}});
    CHECK(r.code == errc::unknown_property);
    CHECK_THAT(r.text, ContainsSubstring(std::string(name)) && ContainsSubstring(std::string(instead)) &&
                           !ContainsSubstring(canary));
  }
  CHECK_THAT(refused({{"max.poll.records", "5"}}).text, ContainsSubstring("micro_batch{.max_records}"));
}

TEST_CASE("unknown names get the nearest one", "[config]") {
  auto const r = refused({{"sesion.timeout.ms", "6000"}});
  CHECK(r.code == errc::unknown_property);
  CHECK_THAT(r.text, ContainsSubstring("did you mean session.timeout.ms?"));
  CHECK_THAT(refused({{"sasl.pasword", canary}}).text,
             ContainsSubstring("did you mean sasl.password?") && !ContainsSubstring(canary));
  CHECK_THAT(refused({{"max.partition.fetch.byte", "1"}}).text, ContainsSubstring("max.partition.fetch.bytes?"));
  CHECK_THAT(refused({{"zzzzzzzzzzzzzzzz", "1"}}).text, !ContainsSubstring("did you mean"));
  CHECK(refused({{"sluice.alow", "1"}}).code == errc::unknown_property);
}

TEST_CASE("secrets are never printed", "[config]") {
  auto const settings = with({{"sasl.password", canary},
                              {"sasl.username", canary},
                              {"ssl.key.password", canary},
                              {"ssl.key.pem", canary},
                              {"sasl.oauthbearer.client.secret", canary},
                              {"some.future.key", canary},
                              {"session.timeout.ms", "6000"}});
  auto const text = describe(settings);
  CHECK_THAT(text, !ContainsSubstring(canary) && ContainsSubstring("session.timeout.ms=6000") &&
                       ContainsSubstring("sasl.password=***"));
  CHECK(detail::without_secrets("login " + canary + "," + canary + " failed", settings.properties) ==
        "login ***,*** failed");
  // A property named like a number may still be given a secret by mistake.
  CHECK_THAT(describe(with({{"max.poll.interval.ms", canary}})), !ContainsSubstring(canary));
}
