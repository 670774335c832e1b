#include <sluice/source/rdkafka_trouble.hpp>

#include <functional>

#include "catch.hpp"

namespace sl = sluice;
using namespace sl::detail;
using Catch::Matchers::ContainsSubstring;
using trouble = basic_connection_trouble<void>;

namespace {

sl::error thrown_by(std::function<void()> const& f) {
  try {
    f();
  } catch (sl::error const& e) { return e; }
  FAIL("nothing was thrown");
  return {sl::errc::closed, ""};
}

std::string refusal_of(std::string const& host) { return "sasl_ssl://" + host + "/bootstrap: no"; }

}  // namespace

TEST_CASE("a login that failed and a right that is missing have codes of their own") {
  CHECK(code_of(RD_KAFKA_RESP_ERR__SSL) == sl::errc::login_failed);
  CHECK(code_of(RD_KAFKA_RESP_ERR__AUTHENTICATION) == sl::errc::login_failed);
  CHECK(code_of(RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED) == sl::errc::login_failed);
  CHECK(code_of(RD_KAFKA_RESP_ERR__TRANSPORT, "Receive failed: SSL routines: alert") == sl::errc::login_failed);
  CHECK(code_of(RD_KAFKA_RESP_ERR__TRANSPORT, "Connect failed") == sl::errc::no_broker);
  for (auto const e :
       {RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED, RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED,
        RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED, RD_KAFKA_RESP_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED}) {
    CHECK(code_of(e) == sl::errc::access_denied);
    CHECK_THAT(missing_right(e), ContainsSubstring("this user needs"));
  }
}

TEST_CASE("what to do about it depends on how one logs in") {
  auto const said = [](rd_kafka_resp_err_t e, char const* mechanism, int version, char const* text = "no") {
    sl::rdkafka_settings const s{.brokers = "b", .group = "g", .properties = {{"sasl.mechanism", mechanism}}};
    return remedy(e, text, s, version);
  };
  auto const v = rdkafka_version;
  auto const failed = RD_KAFKA_RESP_ERR__AUTHENTICATION;
  CHECK_THAT(said(failed, "PLAIN", v(2, 0, 2)), ContainsSubstring("sasl.password"));
  CHECK_THAT(said(failed, "SCRAM-SHA-512", v(2, 6, 0)), ContainsSubstring("2.6.1"));
  CHECK_THAT(said(failed, "SCRAM-SHA-512", v(2, 6, 1)), !ContainsSubstring("2.6.1"));
  CHECK_THAT(said(failed, "OAUTHBEARER", v(2, 0, 2)), ContainsSubstring("kafka{.token}"));
  CHECK_THAT(said(failed, "PLAIN", v(2, 0, 2), "PLAIN mechanism handshake failed"),
             ContainsSubstring("one that the broker has"));
  CHECK_THAT(said(RD_KAFKA_RESP_ERR__SSL, "", v(2, 0, 2)), ContainsSubstring("ssl.ca.location"));
  CHECK_THAT(said(RD_KAFKA_RESP_ERR__TRANSPORT, "", v(2, 0, 2), "SSL routines::certificate verify failed"),
             ContainsSubstring("ssl.ca.location"));
  CHECK_THAT(said(RD_KAFKA_RESP_ERR__TRANSPORT, "", v(2, 0, 2), "SSL routines::alert bad certificate"),
             ContainsSubstring("ssl.certificate.location"));
  CHECK_THAT(said(RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED, "", v(2, 0, 2)), ContainsSubstring("\"g\""));
}

TEST_CASE("a login has failed once every broker that is named has refused, not before") {
  trouble t;
  t.throw_if_all_refuse("a:1");
  for (int i = 0; i < 3; ++i) t.hear(RD_KAFKA_RESP_ERR__AUTHENTICATION, refusal_of("a:1"), "");
  t.throw_if_all_refuse("a:1,b:1");
  t.hear(RD_KAFKA_RESP_ERR__TRANSPORT, "sasl_ssl://b:1/bootstrap: Connect failed", "");
  t.throw_if_all_refuse("a:1,b:1");
  t.hear(RD_KAFKA_RESP_ERR__SSL, refusal_of("b:1"), "; do this");
  auto const e = thrown_by([&] { t.throw_if_all_refuse("a:1,b:1"); });
  CHECK(e.code() == sl::errc::login_failed);
  CHECK_THAT(e.what(), ContainsSubstring("a:1,b:1") && ContainsSubstring("b:1/bootstrap: no; do this"));
}

TEST_CASE("where no broker answers the last thing heard is told, a refusal before others; an answer makes good") {
  trouble t;
  bool heard = false;
  auto const ask = [&](bool answers) {
    return t.explained(
        [&]() -> int {
          if (answers) return 7;
          throw sl::error(sl::errc::no_broker, "who is there?");
        },
        [&] { heard = true; }, "a:1");
  };
  t.hear(RD_KAFKA_RESP_ERR__TRANSPORT, "a:1/bootstrap: Connect failed", "");
  auto const away = thrown_by([&] { ask(false); });
  CHECK(away.code() == sl::errc::no_broker);
  CHECK_THAT(away.what(), ContainsSubstring("who is there? (brokers: a:1; a:1/bootstrap: Connect failed)"));
  CHECK(heard);
  t.hear(RD_KAFKA_RESP_ERR__AUTHENTICATION, refusal_of("a:1"), "");
  t.hear(RD_KAFKA_RESP_ERR__TRANSPORT, "b:1/bootstrap: Connect failed", "");
  CHECK(thrown_by([&] { ask(false); }).code() == sl::errc::login_failed);
  CHECK(ask(true) == 7);
  t.throw_if_all_refuse("a:1");
  CHECK(thrown_by([&] { ask(false); }).code() == sl::errc::no_broker);
  t.has_no_token("nobody gave one");
  CHECK_THAT(thrown_by([&] { ask(false); }).what(), ContainsSubstring("nobody gave one"));
  auto const other = [&] {
    return t.explained([]() -> int { throw sl::error(sl::errc::unknown_topic, "x"); }, [] {}, "a:1");
  };
  CHECK(thrown_by(other).code() == sl::errc::unknown_topic);
}
