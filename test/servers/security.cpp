// Whole consumers over TLS and each way to log in, and what is said where a login fails: in time, with the remedy, and
// without a secret.
#include "sanitized.hpp"
#include "servers/security_kafka.hpp"

using namespace servers;
using Catch::Matchers::ContainsSubstring;

namespace {

constexpr std::size_t records = 6;

security_kafka& shared() {
  static security_kafka one{{"nobody"}};
  static bool const filled = [] {
    one.topics.create("in", 2);
    one.topics.create("out", 2);
    for (std::int32_t p = 0; p < 2; ++p) one.topics.produce("in", p, {{"a", "1"}, {"b", "2"}, {"c", "3"}});
    return true;
  }();
  static_cast<void>(filled);
  return one;
}

sl::kafka from(std::string const& listener, properties how, std::string const& group, sl::token_source token = {}) {
  return {.brokers = shared().broker.address(listener),
          .group = group,
          .topics = {"in"},
          .properties = std::move(how),
          .token = std::move(token)};
}

trial read(sl::kafka const& source) {
  return try_out(records, 10s, read_only, sl::at_least_once{}, sl::kafka_offsets{}, source);
}

void reads_all(trial const& t) {
  INFO(t.what << "\n" << t.heard);
  CHECK(t.code == sl::errc{});
  CHECK(t.records == records);
}

/// What is given as a secret is in nothing that was said, whatever librdkafka was told to say.
void is_silent(trial const& t, std::vector<std::string> const& secrets) {
  for (auto const& s : secrets) {
    CHECK_THAT(t.what, !ContainsSubstring(s));
    CHECK_THAT(t.heard, !ContainsSubstring(s));
  }
}

std::string base64(std::string const& text) {
  static constexpr char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  std::string all;
  unsigned bits = 0, count = 0;
  for (char const c : text) {
    bits = bits << 8 | static_cast<unsigned char>(c);
    for (count += 8; count >= 6; count -= 6) all += digits[bits >> (count - 6) & 63];
  }
  if (count > 0) all += digits[bits << (6 - count) & 63];
  return all;
}

/// A JWT without a signature, as the listener `bearer` takes it.
sl::access_token unsigned_token(std::chrono::milliseconds life) {
  auto const now = std::chrono::system_clock::now();
  auto const seconds = [](auto t) {
    return std::to_string(std::chrono::duration<double>(t.time_since_epoch()).count());
  };
  auto const claims = R"({"sub":"root","iat":)" + seconds(now) + R"(,"exp":)" + seconds(now + life) + "}";
  return {.value = base64(R"({"alg":"none"})") + "." + base64(claims) + ".", .expires = now + life};
}

}  // namespace

TEST_CASE("TLS: the broker's certificate is checked") {
  reads_all(read(from("tls", shared().tls(), "over tls")));
  // One that refuses does not keep us from another.
  auto two = from("tls", shared().tls(), "over tls, of two");
  two.brokers = shared().broker.address("elsewhere") + "," + two.brokers;
  reads_all(read(two));
  for (auto const& [listener, authority] : {std::pair{"tls", "stranger.pem"}, {"elsewhere", "ca.pem"}}) {
    auto const t =
        read(from(listener, {{"security.protocol", "ssl"}, {"ssl.ca.location", shared().files(authority)}}, "nobody"));
    INFO(listener << ": " << t.what);
    CHECK_FALSE(t.constructed);
    CHECK(t.code == sl::errc::login_failed);
    CHECK_THAT(t.what, ContainsSubstring(shared().broker.address(listener)) && ContainsSubstring("ssl.ca.location") &&
                           ContainsSubstring("name in kafka{.brokers}"));
    CHECK(t.took < 8s);
  }
}

TEST_CASE("a listener with TLS, and no TLS here") {
  auto source = from("tls", {}, "nobody");
  source.timeout = 1500ms;
  auto const t = read(source);
  CHECK(t.code == sl::errc::no_broker);
  CHECK_THAT(t.what, ContainsSubstring("security.protocol"));
  CHECK(t.took < 8s);
}

TEST_CASE("mutual TLS: with a certificate of our own, or an error that says so") {
  auto const& s = shared();
  sanitized::leaks_of_others const of_keystores;  // librdkafka 2.0 loses what it read from them
  reads_all(read(
      from("mutual",
           s.tls({{"ssl.certificate.location", s.files("client.pem")}, {"ssl.key.location", s.files("client.key")}}),
           "over mutual tls")));
  // An encrypted key, in a PKCS#12 store.
  reads_all(read(from("mutual",
                      s.tls({{"ssl.keystore.location", s.files("client.p12")}, {"ssl.keystore.password", s.password}}),
                      "over mutual tls too")));
  auto const none = read(from("mutual", s.tls(), "nobody"));
  CHECK(none.code == sl::errc::login_failed);
  CHECK_THAT(none.what, ContainsSubstring("ssl.certificate.location"));
  CHECK(none.took < 8s);
  auto const wrong = read(from("mutual",
                               s.tls({{"ssl.keystore.location", s.files("client.p12")},
                                      {"ssl.keystore.password", "canary-of-mine"},
                                      {"debug", "security,conf"}}),
                               "nobody"));
  CHECK(wrong.code == sl::errc::bad_configuration);
  CHECK_THAT(wrong.what, ContainsSubstring("ssl.keystore"));
  is_silent(wrong, {"canary-of-mine"});
}

TEST_CASE("SASL/PLAIN over TLS, from Kafka to Kafka in transactions too") {
  auto const& s = shared();
  reads_all(read(from("plain", s.login("root"), "over plain")));
  reads_all(try_out(records, 10s, copy_to_out, sl::transactional{}, sl::kafka_offsets{.transactional_id = "plain"},
                    from("plain", s.login("root"), "over plain, copying")));
  CHECK(s.topics.read("out", 2) == s.topics.read("in", 2));
}

TEST_CASE("SASL/PLAIN: what is wrong is told, and no secret") {
  auto const& s = shared();
  auto const refused = [&](properties how, sl::errc code, std::string const& remedy) {
    how.insert({"debug", "security,broker,conf,protocol"});
    auto const t = read(from("plain", how, "nobody"));
    INFO(t.what);
    CHECK_FALSE(t.constructed);
    CHECK(t.code == code);
    CHECK_THAT(t.what, ContainsSubstring(remedy));
    CHECK(t.took < 8s);
    is_silent(t, {s.password, "canary-of-mine", "user-of-mine"});
    return t;
  };
  auto const wrong = refused(s.login("root", {{"sasl.password", "canary-of-mine"}}), sl::errc::login_failed,
                             "check sasl.mechanism, sasl.username and sasl.password");
  CHECK_THAT(wrong.heard, ContainsSubstring("AUTH_REQ"));  // librdkafka's own lines came, all of them
  // Where librdkafka's own text holds what is a secret here, it is struck out.
  auto const said = refused(s.login("root", {{"sasl.password", "AUTH_REQ"}}), sl::errc::login_failed, "in state ***");
  is_silent(said, {"AUTH_REQ"});
  refused(s.login("user-of-mine"), sl::errc::login_failed, "sasl.username");
  refused(s.login("root", {{"sasl.mechanism", "ROT13"}}), sl::errc::bad_configuration, "ROT13");
  refused(s.login("root", {{"sasl.mechanism", "SCRAM-SHA-256"}}), sl::errc::login_failed, "set sasl.mechanism");
  refused(s.login("root", {{"sasl.mechanism", ""}}), sl::errc::bad_configuration, "sasl.mechanism");
  refused(s.login("root", {{"security.protocol", "sasl_plaintext"}}), sl::errc::bad_configuration, "sasl_ssl");
  refused(s.login("root", {{"ssl.ca.location", s.files("stranger.pem")}}), sl::errc::login_failed, "ssl.ca.location");
}

TEST_CASE("a password is in none of the errors of a pattern's consumer, which asks for no topic") {
  auto source = from("plain", shared().login("root", {{"sasl.password", "canary-of-mine"}}), "nobody");
  source.topics.clear();
  source.pattern = "i.";
  auto const t = read(source);
  CHECK_FALSE(t.constructed);
  CHECK(t.code == sl::errc::login_failed);
  CHECK(t.took < 8s);
  is_silent(t, {"canary-of-mine"});
}

TEST_CASE("SASL/SCRAM over TLS") {
  auto const scram = [](security_kafka const& s, std::string const& password) {
    sl::kafka source{.brokers = s.broker.address("scram"),
                     .group = "over scram",
                     .topics = {"in"},
                     .properties = s.sasl("SCRAM-SHA-256", {{"sasl.username", "alice"}, {"sasl.password", password}})};
    return read(source);
  };
  auto const refused = [&](security_kafka const& s, std::string const& password) {
    auto const t = scram(s, password);
    INFO(t.what);
    CHECK(t.code == sl::errc::login_failed);
    CHECK_THAT(t.what, ContainsSubstring("sasl.password"));
    CHECK(t.took < 8s);
    is_silent(t, {password, "alice"});
    return t.what;
  };
  refused(shared(), "canary-of-mine");
  if (sl::detail::running_rdkafka() >= sl::detail::rdkafka_version(2, 6, 1)) {
    reads_all(scram(shared(), shared().password));
    return;
  }
  // librdkafka#4895: with Kafka 3 only.
  CHECK_THAT(refused(shared(), shared().password), ContainsSubstring("2.6.1"));
  security_kafka const older{{}, "kafka39"};
  older.topics.create("in", 2);
  for (std::int32_t p = 0; p < 2; ++p) older.topics.produce("in", p, {{"a", "1"}, {"b", "2"}, {"c", "3"}});
  reads_all(scram(older, older.password));
  refused(older, "canary-of-mine");
}

TEST_CASE("OAUTHBEARER: tokens are given, renewed before they expire, and used by the transaction's client too") {
  auto& s = shared();
  std::vector<std::string> given;
  auto const me = std::this_thread::get_id();
  bool elsewhere = false;
  constexpr auto life = 3s;
  auto const give = [&] {
    elsewhere |= std::this_thread::get_id() != me;
    auto token = unsigned_token(life);
    given.push_back(token.value);
    return token;
  };
  auto const more = [&](char const* value) {
    for (std::int32_t p = 0; p < 2; ++p) s.topics.produce("fresh", p, {{"k", value}});
  };
  s.topics.create("fresh", 2);
  s.topics.create("copied", 2);
  more("1");
  auto source = from("bearer", s.sasl("OAUTHBEARER", {{"debug", "security,conf"}, {"reconnect.backoff.max.ms", "200"}}),
                     "by token", give);
  source.topics = {"fresh"};
  trial t;
  {
    sl::stream_consumer consumer{sl::transactional{}, sl::kafka_offsets{.transactional_id = "by token"}, source,
                                 listening{&t.heard}};
    auto const begun = std::chrono::steady_clock::now();
    CHECK(given.size() == 2);  // the source's client, and the transaction's
    auto const until = [&](auto done) {
      for (auto const by = std::chrono::steady_clock::now() + 15s; !done();) {
        INFO(t.heard);
        REQUIRE(std::chrono::steady_clock::now() < by);
        t.records += consumer
                         .step(
                             [](sl::batch const& batch, sl::kafka_transaction& tx) {
                               for (sl::record r : batch) tx.produce("copied", r.key(), r.value(), r.partition());
                             },
                             50ms)
                         .records;
      }
    };
    until([&] { return t.records == 2; });
    // The first tokens are of no use any more; nobody but these clients has asked for others.
    until([&] { return given.size() >= 3 && std::chrono::steady_clock::now() > begun + life + 500ms; });
    s.way.refuse(true);
    s.way.refuse(false);
    more("2");
    until([&] { return t.records == 4; });
    CHECK(given.size() >= 4);
    CHECK(given.size() < 20);
    CHECK(consumer.drain(5s) == sl::close_result::drained);
  }
  CHECK_FALSE(elsewhere);
  CHECK(s.topics.read("copied", 2) == s.topics.read("fresh", 2));
  is_silent(t, given);
}

TEST_CASE("OAUTHBEARER: a token that can't be had or is not taken is an error without it") {
  auto const& s = shared();
  std::string const secret = "canary.of.mine";
  auto const refused = [&](sl::token_source token, std::string const& what) {
    auto const t =
        read(from("bearer", s.sasl("OAUTHBEARER", {{"debug", "security,broker,conf"}}), "nobody", std::move(token)));
    INFO(t.what);
    CHECK_FALSE(t.constructed);
    CHECK(t.code == sl::errc::login_failed);
    CHECK_THAT(t.what, ContainsSubstring(what) && ContainsSubstring("kafka{.token}"));
    CHECK(t.took < 8s);
    is_silent(t, {secret});
  };
  auto const later = std::chrono::system_clock::now() + 1h;
  refused([]() -> sl::access_token { throw std::runtime_error("nobody is there"); }, "nobody is there");
  refused([&] { return sl::access_token{.value = secret}; }, "expired");
  refused([&] { return sl::access_token{.expires = later}; }, "empty");
  refused([&] { return sl::access_token{.value = secret + "\x01", .expires = later}; }, "character");
  refused([&] { return sl::access_token{.value = secret, .expires = later, .extensions = {{"1", secret}}}; },
          "extensions");
  refused([&] { return sl::access_token{.value = secret, .expires = later}; }, "tokens");
}

TEST_CASE("OAUTHBEARER: a token that can't be renewed is told, and the consumer goes on with what it has") {
  auto const& s = shared();
  int asked = 0;
  trial t;
  sl::stream_consumer consumer{sl::at_least_once{}, sl::kafka_offsets{},
                               from("bearer", s.sasl("OAUTHBEARER"), "by one token",
                                    [&] {
                                      if (++asked > 1) throw std::runtime_error("nobody is there");
                                      return unsigned_token(2s);
                                    }),
                               listening{&t.heard}};
  for (auto const by = std::chrono::steady_clock::now() + 10s;
       t.heard.find("kafka{.token} threw: nobody is there") == std::string::npos || t.records < records;) {
    INFO(t.heard);
    REQUIRE(std::chrono::steady_clock::now() < by);
    t.records += consumer.step(&read_only, 50ms).records;
  }
  CHECK(asked == 2);
}
