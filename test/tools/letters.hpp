/// \file letters.hpp  For the tests of sluice-letters: runs it as a user does, on a real Kafka.
#pragma once
#include <sluice/output/kafka.hpp>
#include <sluice/sluice.hpp>

#include <nlohmann/json.hpp>

#include <map>

#include "program.hpp"
#include "servers/kafka.hpp"
#include "servers/kafka_topics.hpp"
#include "source/written_records.hpp"

namespace letters {

namespace sl = sluice;

using namespace program;
using namespace std::chrono_literals;
using json = nlohmann::json;
using Catch::Matchers::ContainsSubstring;
using written_header = std::pair<std::string, std::optional<std::string>>;
using written_headers = std::vector<written_header>;

inline answer run(words const& arguments, words const& environment = {}) {
  return program::run(SLUICE_LETTERS, arguments, environment);
}
/// Must succeed; answers what it printed.
inline std::string done(words const& arguments, words const& environment = {}) {
  auto const a = run(arguments, environment);
  INFO(a.out << a.err);
  REQUIRE(a.status == 0);
  return a.out;
}
/// Must fail with this status; answers what it said.
inline std::string fails(words const& arguments, int status = 1, words const& environment = {}) {
  auto const a = run(arguments, environment);
  INFO(a.out << a.err);
  CHECK(a.status == status);
  return a.err;
}

struct cluster {
  servers::kafka broker{};
  servers::kafka_topics topics{broker.bootstrap()};
  std::string bootstrap() const { return broker.bootstrap(); }
};
inline cluster& kafka() {
  static cluster one;
  return one;
}
inline words at_brokers() { return {"--brokers", kafka().bootstrap()}; }

struct sent {
  std::optional<std::string> key{}, value{};
  written_headers headers{};
  friend auto operator<=>(sent const&, sent const&) = default;
};

inline void produce(std::string const& topic, std::vector<sent> const& all) {
  static sl::kafka_output out{{.brokers = kafka().bootstrap()}};
  auto const data = [](std::optional<std::string> const& d) { return d ? sl::payload{*d} : sl::payload{nullptr}; };
  for (auto const& r : all) {
    sl::header_list headers;
    for (auto const& [name, value] : r.headers) headers.add(name, data(value));
    out.produce(topic, data(r.key), data(r.value), headers);
  }
  out.flush();
}

/// What readers of committed records see; fewer than `count` where no more come for 3 s.
inline std::vector<sent> in(std::string const& topic, int partitions, std::size_t count) {
  std::vector<sent> all;
  for (auto& r : written::in(kafka(), topic, partitions, count)) all.push_back({r.key, r.value, r.headers});
  return all;
}

/// Records of every kind.
inline std::vector<sent> some_records() {
  return {{"a", "1", {}},
          {"b", std::nullopt, {{"trace", std::string{"\0\xff", 2}}, {"trace", std::nullopt}, {"", ""}}},
          {std::nullopt, "3", {{"sluiceful", "mine"}}},
          {"", "", {}},
          {std::string{"\xff\0", 2}, std::string(100'000, 'x'), {}}};
}
inline std::vector<sent> sorted(std::vector<sent> all) {
  std::sort(all.begin(), all.end());
  return all;
}
/// As they are when they have come back `n` times.
inline std::vector<sent> returned(std::vector<sent> all, int n = 1) {
  for (auto& r : all) r.headers.emplace_back("sluice.returned", std::to_string(n));
  return all;
}

/// Reads a topic with this store and on_failure, and fails on what `bad` says, until `n` letters are kept.
template <class Store, class OnFailure, class Bad>
void set_aside(std::string const& topic, Store const& store, OnFailure const& on_failure, std::uint64_t n, Bad bad) {
  sl::stream_consumer consumer{sl::at_least_once{}, store, on_failure,
                               sl::kafka{.brokers = kafka().bootstrap(),
                                         .group = "group " + topic,
                                         .topics = {topic},
                                         .properties = {{"session.timeout.ms", "6000"}}}};
  auto handler = sl::each([&](sl::record r) {
    if (bad(r)) throw std::runtime_error("no good: " + std::string(r.key_text()));
  });
  for (auto const give_up = std::chrono::steady_clock::now() + 30s; consumer.statistics().dead_letters < n;) {
    consumer.step(handler, 100ms);
    REQUIRE(std::chrono::steady_clock::now() < give_up);
  }
  consumer.close(10s);
}
inline auto const all_of_them = [](sl::record) { return true; };

/// A topic, and records of it that have failed; `place` has its letters.
template <class Store, class OnFailure>
void comes_back_as_it_was(words const& place, std::string const& topic, Store const& store, OnFailure const& on_failure,
                          words const& environment = {}) {
  kafka().topics.create(topic, 2);
  auto const records = some_records();
  produce(topic, records);
  set_aside(topic, store, on_failure, records.size(), all_of_them);

  auto const show = words{"show"} + place + at_brokers();
  auto const table = done(show, environment);
  CHECK_THAT(table,
             ContainsSubstring("5 letters in ") && ContainsSubstring("no good: b") && ContainsSubstring("TOPIC"));
  std::istringstream lines{done(show + words{"--json"}, environment)};
  std::map<std::string, json> by_value;
  for (std::string line; std::getline(lines, line);) {
    auto const l = json::parse(line);
    by_value[l.at("key").dump()] = l;
  }
  REQUIRE(by_value.size() == records.size());
  CHECK(by_value["\"Yg==\""]["headers"].dump() == R"([["trace","AP8="],["trace",null],["",""]])");
  CHECK(by_value["\"Yg==\""]["value"].is_null());
  CHECK(by_value["\"YQ==\""]["topic"] == topic);
  CHECK(by_value["\"YQ==\""]["error"] == "no good: a");
  CHECK(by_value["null"]["value"] == "Mw==");

  auto const give_back = words{"return"} + place + at_brokers();
  CHECK_THAT(done(give_back + words{"--dry-run"}, environment),
             ContainsSubstring("goes to " + topic) && ContainsSubstring("5 would go"));
  CHECK(in(topic, 2, 6).size() == 5);
  CHECK_THAT(done(give_back, environment),
             ContainsSubstring("5 of 5 letters returned") && ContainsSubstring("5 to " + topic));
  auto const found = in(topic, 2, 10);
  auto both = returned(records);
  both.insert(both.end(), records.begin(), records.end());
  CHECK((sorted(found) == sorted(both)));
  CHECK_THAT(done(show, environment), ContainsSubstring("0 letters in "));
  CHECK_THAT(done(give_back, environment), ContainsSubstring("0 of 0 letters returned"));
}

/// A record that always fails goes round, and stays when it has been returned twice.
template <class Store, class OnFailure>
void poison_goes_round(words const& place, std::string const& topic, Store const& store, OnFailure const& on_failure,
                       words const& environment = {}) {
  kafka().topics.create(topic, 1);
  produce(topic, {{"poison", "p", {{"own", "1"}}}, {"good", "g", {}}});
  auto const poison = [](sl::record r) { return r.key_text() == "poison"; };
  auto const give_back = words{"return"} + place + at_brokers() + words{"--at-most", "2"};
  for (int n = 1; n <= 2; ++n) {
    set_aside(topic, store, on_failure, 1, poison);
    CHECK_THAT(done(give_back, environment), ContainsSubstring("1 of 1 letter returned"));
  }
  set_aside(topic, store, on_failure, 1, poison);
  auto const a = run(give_back, environment);
  CHECK(a.status == 0);
  CHECK_THAT(a.out, ContainsSubstring("0 of 1 letter returned") && ContainsSubstring("1 left"));
  CHECK_THAT(a.err, ContainsSubstring("stays: ") && ContainsSubstring("returned 2 times already (--at-most 2)"));
  auto const found = in(topic, 1, 5);
  REQUIRE(found.size() == 4);
  CHECK(found[2] == sent{"poison", "p", {{"own", "1"}, {"sluice.returned", "1"}}});
  CHECK(found[3] == sent{"poison", "p", {{"own", "1"}, {"sluice.returned", "2"}}});
}

}  // namespace letters
