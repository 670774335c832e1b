#include <sluice/on_failure/dead_letter_topic.hpp>

#include "../source/written_records.hpp"
#include "catch.hpp"

namespace sl = sluice;
using namespace std::chrono_literals;
using written::within;
using runtime = sl::dead_letter_topic::runtime;

static_assert(sl::policy_for<sl::dead_letter_topic, sl::on_failure_slot>);
static_assert(sl::must_be_configured<sl::dead_letter_topic>);
static_assert(sl::dead_letter_home<runtime>);

namespace {

sl::testing::embedded_broker& broker() {
  static sl::testing::embedded_broker one;
  return one;
}

constexpr sl::detail::message_access access{[](void const*) { return std::int64_t{1234}; },
                                            [](void const*, std::size_t i, sl::header& out) {
                                              out = {"own", i ? sl::bytes{} : sl::as_bytes("1")};
                                              return i < 2;
                                            }};

/// A record of orders/3 at 41.
struct bad {
  std::string key, value;
  sl::detail::message message{};
  sl::detail::part part{};
  bad(std::string k, std::string v, bool tombstone = false) : key(std::move(k)), value(std::move(v)) {
    message = {.key = key.data(),
               .value = tombstone ? nullptr : value.data(),
               .key_size = static_cast<std::uint32_t>(key.size()),
               .value_size = static_cast<std::uint32_t>(value.size()),
               .at = 41};
    part = {.begin = &message, .end = &message + 1, .range = {.of = {"orders", 3}}, .access = &access};
  }
  sl::dead_letter letter(std::string const& why = "no number") const {
    return {.what = {&message, &part}, .error = why, .attempts = 4, .first = sl::wall_time{5678ms}};
  }
};

sl::context at(sl::testing::embedded_broker const& b) {
  return {.brokers = b.bootstrap(), .group = "billing", .properties = {{"session.timeout.ms", "9000"}}};
}

std::string why_not(runtime& home, sl::time_point by) {
  try {
    home.flush(by);
  } catch (sl::error const& e) {
    CHECK(e.code() == sl::errc::dead_letter_failed);
    return e.what();
  }
  return {};
}

}  // namespace

TEST_CASE("a letter is the record as it was, with where it came from and why") {
  broker().create_topic("dead", 1);
  runtime home = sl::dead_letter_topic::open({.topic = "dead"}, at(broker()));
  home.flush(within(5s));
  {
    bad const one{"k", "v"}, gone{"k2", "", true};
    home.keep(one.letter(), within(5s));
    home.keep(gone.letter(""), within(5s));
  }
  home.flush(within(5s));
  auto const found = written::in(broker(), "dead", 1, 2);
  REQUIRE(found.size() == 2);
  CHECK(found[0].key == "k");
  CHECK(found[0].value == "v");
  CHECK_FALSE(found[1].value);
  using header = std::pair<std::string, std::optional<std::string>>;
  CHECK(found[0].headers == std::vector<header>{{"own", "1"},
                                                {"own", std::nullopt},
                                                {"sluice.topic", "orders"},
                                                {"sluice.partition", "3"},
                                                {"sluice.offset", "41"},
                                                {"sluice.timestamp", "1234"},
                                                {"sluice.error", "no number"},
                                                {"sluice.attempts", "4"},
                                                {"sluice.first", "5678"}});
}

TEST_CASE("a letter that is not taken is an error, at the flush or before it") {
  broker().create_topic("refusing", 1);
  runtime home = sl::dead_letter_topic::open({.topic = "refusing"}, at(broker()));
  bad const one{"k", "canary"};
  broker().fail_next(sl::testing::request::produce, {RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE});
  home.keep(one.letter(), within(5s));
  auto const why = why_not(home, within(5s));
  CHECK(why.find("refusing") != why.npos);
  CHECK(why.find("too large") != why.npos);
  CHECK(why.find("canary") == why.npos);
  CHECK(why_not(home, within(5s)).empty());
  home.keep(one.letter(), within(5s));
  CHECK(why_not(home, within(5s)).empty());

  bad const huge{"k", std::string(9 << 20, 'x')};
  CHECK_THROWS_AS(home.keep(huge.letter(), within(5s)), sl::error);
}

TEST_CASE("without brokers a flush ends in time, and says so") {
  sl::testing::embedded_broker away;
  away.create_topic("dead", 1);
  runtime home = sl::dead_letter_topic::open({.topic = "dead"}, at(away));
  away.broker_down();
  bad const one{"k", "v"};
  home.keep(one.letter(), within(5s));
  auto const began = std::chrono::steady_clock::now();
  CHECK_FALSE(why_not(home, within(300ms)).empty());
  CHECK(std::chrono::steady_clock::now() - began < 2s);
  away.broker_up();
  CHECK(why_not(home, within(10s)).empty());
}

TEST_CASE("letters can't go back to the topic that they come from, nor to none") {
  runtime home = sl::dead_letter_topic::open({.topic = "orders"}, at(broker()));
  CHECK_THROWS_AS(home.keep(bad{"k", "v"}.letter(), within(5s)), sl::error);
  try {
    sl::dead_letter_topic::open({}, at(broker()));
    FAIL("opened");
  } catch (sl::error const& e) {
    CHECK(e.code() == sl::errc::bad_configuration);
    CHECK(std::string(e.what()).find("dead_letter_topic{.topic}") != std::string::npos);
  }
}
