#include <sluice/source/rdkafka_token.hpp>

#include <thread>

#include "catch.hpp"

namespace sl = sluice;
using namespace std::chrono_literals;
using Catch::Matchers::ContainsSubstring;
using tokens = sl::detail::rdkafka_tokens;

namespace {

/// A client that waits for tokens; its brokers are nowhere.
struct client {
  rd_kafka_t* it = nullptr;

  client() {
    auto* conf = rd_kafka_conf_new();
    char why[512] = "";
    for (auto const& [name, value] :
         {std::pair{"security.protocol", "sasl_plaintext"}, {"sasl.mechanism", "OAUTHBEARER"}, {"log_level", "0"}})
      REQUIRE(rd_kafka_conf_set(conf, name, value, why, sizeof why) == RD_KAFKA_CONF_OK);
    rd_kafka_conf_set_events(conf, RD_KAFKA_EVENT_OAUTHBEARER_TOKEN_REFRESH);
    it = rd_kafka_new(RD_KAFKA_PRODUCER, conf, why, sizeof why);
    REQUIRE(it != nullptr);
  }
  client(client const&) = delete;
  client& operator=(client const&) = delete;
  ~client() { rd_kafka_destroy(it); }
};

sl::access_token token(std::string value, std::chrono::milliseconds life) {
  return {.value = std::move(value), .expires = std::chrono::system_clock::now() + life};
}

}  // namespace

TEST_CASE("without somebody who gives tokens nothing is done") {
  client c;
  CHECK(tokens{{}}.give(*c.it).empty());
}

TEST_CASE("a token is asked for again once it is old, not before") {
  client c;
  int asked = 0;
  tokens t{[&] { return ++asked == 1 ? token("first", 1s) : token("second", 1h); }};
  auto const expired = std::chrono::steady_clock::now() + 1s;
  CHECK(t.give(*c.it).empty());
  for (; asked < 2 && std::chrono::steady_clock::now() < expired; std::this_thread::sleep_for(1ms))
    if (!t.give(*c.it).empty()) FAIL("not given");
  for (int i = 0; i < 10; ++i) CHECK(t.give(*c.it).empty());
  CHECK(asked == 2);
}

TEST_CASE("the token in use and the one before are struck out, with their extensions") {
  client c;
  bool asked = false, taken = true;
  int given = 0;
  tokens t{[&] {
    asked = true;
    auto one = token("canary-" + std::to_string(given + 1), 20ms);
    one.extensions = {{taken ? "cluster" : "not 1 name", "secret-extension"}};
    return one;
  }};
  // On a busy machine a token may have expired before it is given.
  auto const give = [&] {
    asked = false;
    return t.give(*c.it).empty() && asked;
  };
  for (auto const late = std::chrono::steady_clock::now() + 10s; given < 3 && std::chrono::steady_clock::now() < late;)
    given += give();
  REQUIRE(given == 3);
  SECTION("while all are taken") {}
  SECTION("after others were refused") {
    taken = false;
    for (int refused = 0; refused < 2; refused += asked) CHECK_FALSE(give());
  }
  CHECK(t.strike_out("canary-1 canary-2 canary-3 secret-extension") == "canary-1 *** *** ***");
}

TEST_CASE("what goes wrong is a sentence without the token") {
  client c;
  auto const failure = [&](sl::token_source from) { return tokens{std::move(from)}.give(*c.it); };
  CHECK_THAT(failure([]() -> sl::access_token { throw std::runtime_error("out of order"); }),
             ContainsSubstring("kafka{.token} threw: out of order"));
  CHECK_THAT(failure([]() -> sl::access_token { throw 1; }), ContainsSubstring("std::exception"));
  CHECK_THAT(failure([] { return token("", 1h); }), ContainsSubstring("empty"));
  auto const silent = [](std::string const& what, char const* part) {
    CHECK_THAT(what, ContainsSubstring(part) && !ContainsSubstring("canary"));
  };
  silent(failure([] { return token("canary", -1ms); }), "expired");
  silent(failure([] { return token("canary\n", 1h); }), "character");
  auto extended = token("canary", 1h);
  extended.extensions = {{"with space", "canary"}};
  silent(failure([&] { return extended; }), "extensions");
  extended.extensions = {{"cluster", "canary\x01"}};
  silent(failure([&] { return extended; }), "extensions");
}
