/// \file offsets.hpp  For the tests of sluice-offsets: runs it as a user does, on stores of the test's own.
#pragma once
#include <nlohmann/json.hpp>

#include "program.hpp"
#include "servers/process.hpp"

namespace offsets {

using namespace program;
using json = nlohmann::json;
using Catch::Matchers::ContainsSubstring;

inline answer run(words const& arguments, words const& environment = {}, std::string const& terminal = {}) {
  return program::run(SLUICE_OFFSETS, arguments, environment, terminal);
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

/// A store on the command line.
struct place {
  std::string word{};
  words options{};  // as they are for one store: "--table", "x"
  words environment{};

  words as_store() const { return words{word} + options; }
  /// `--from WORD --from-table x …`
  words as(std::string const& which) const {
    words all{"--" + which, word};
    for (auto const& o : options) all.push_back(o.starts_with("--") ? "--" + which + "-" + o.substr(2) : o);
    return all;
  }
};

/// As the tool's arguments: "orders:0=5", sorted.
inline words at(place const& p, std::string const& group, words const& more = {}) {
  auto const a = run(words{"export"} + p.as_store() + words{"--group", group} + more, p.environment);
  if (a.status == 1 && a.err.find("has no positions") != std::string::npos) return {};
  INFO(a.out << a.err);
  REQUIRE(a.status == 0);
  words all;
  auto const document = json::parse(a.out);
  for (auto const& one : document.at("positions"))
    all.push_back(one.at("topic").get<std::string>() + ":" + std::to_string(one.at("partition").get<int>()) + "=" +
                  std::to_string(one.at("next").get<std::int64_t>()));
  return all;
}

/// Without brokers that could tell whether somebody is in the group.
inline words const at_once{"--sample-for", "0"};
inline words const some{"orders:0=5", "orders:1=49", "orders:2=0"}, others{"orders:0=1", "orders:1=2", "orders:2=3"};

/// Copies a group's positions there, back, and there again when they have changed. `more` goes with what changes, `look`
/// with what reads.
inline void there_and_back(place const& from, place const& to, std::string const& group, words more = at_once,
                           words const& look = {}) {
  INFO(from.word << " to " << to.word);
  more = words{"--group", group} + more;
  auto const secrets = from.environment + to.environment;
  auto const copied = [&](place const& x, place const& y) {
    return done(words{"copy"} + x.as("from") + y.as("to") + more, secrets);
  };
  done(words{"set"} + from.as_store() + more + some, secrets);
  auto const said = copied(from, to);
  CHECK_THAT(said, ContainsSubstring("3 of 3 positions changed in " + to.word.substr(0, 4)));
  CHECK_THAT(said, ContainsSubstring("no fingerprint"));
  CHECK(at(to, group, look) == some);
  CHECK(at(from, group, look) == some);
  copied(to, from);
  CHECK(at(from, group, look) == some);
  done(words{"set"} + from.as_store() + more + others, secrets);
  copied(from, to);
  CHECK(at(to, group, look) == others);
}

}  // namespace offsets
