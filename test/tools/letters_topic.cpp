// sluice-letters with letters in a topic, on a real Kafka: each goes back once, through kill -9 too.
#include <random>

#include "letters.hpp"
#include "seed.hpp"
#include "servers/process.hpp"

using namespace letters;

namespace {

void make(std::string const& topic, int partitions = 2) { kafka().topics.create(topic, partitions); }

/// A letter as dead_letter_topic writes it.
sent letter(std::string const& of, std::string const& value, std::string const& error = "no good",
            written_headers own = {}) {
  sent l{value, value, std::move(own)};
  for (auto const& [name, text] : std::initializer_list<std::pair<char const*, std::string>>{{"sluice.topic", of},
                                                                                             {"sluice.partition", "0"},
                                                                                             {"sluice.offset", "7"},
                                                                                             {"sluice.error", error},
                                                                                             {"sluice.attempts", "4"}})
    l.headers.emplace_back(name, text);
  return l;
}
std::multiset<std::string> values(std::string const& topic, std::size_t count) {
  std::multiset<std::string> all;
  for (auto const& r : in(topic, 2, count)) all.insert(r.value.value_or("null"));
  return all;
}

}  // namespace

TEST_CASE("letters in a topic go back as the records that they were, each once") {
  make("round.dead");
  comes_back_as_it_was({"topic:round.dead", "--group", "round"}, "round", sl::kafka_offsets{},
                       sl::dead_letter_topic{"round.dead"});
  CHECK_THAT(done(words{"show", "topic:round.dead", "--group", "round", "--all"} + at_brokers()),
             ContainsSubstring("5 letters in "));
}

TEST_CASE("a poison record in a topic goes round, and stays when it was returned --at-most times") {
  make("poison.dead");
  poison_goes_round({"topic:poison.dead", "--group", "poison"}, "poison", sl::kafka_offsets{},
                    sl::dead_letter_topic{"poison.dead"});
  auto const last = in("poison.dead", 2, 4).back().headers;  // all of one key, so of one partition
  std::map<std::string, int> names;
  for (auto const& [name, _] : last) ++names[name];
  CHECK(names["sluice.returned"] == 1);
  CHECK(names["sluice.topic"] == 1);
  CHECK(names["sluice.error"] == 1);
  CHECK(names["own"] == 1);
}

TEST_CASE("through kill -9 nothing is lost and nothing comes twice") {
  std::mt19937 random{seed()};
  make("killed");
  make("killed.dead");
  constexpr int many = 60'000;
  std::vector<sent> all;
  std::multiset<std::string> wanted;
  for (int i = 0; i < many; ++i) {
    all.push_back(letter("killed", std::to_string(i)));
    wanted.insert(std::to_string(i));
  }
  produce("killed.dead", all);
  temporary_folder folder;
  auto const command = words{SLUICE_LETTERS, "return", "topic:killed.dead", "--group", "killed"} + at_brokers();
  auto const committed = [] { return kafka().topics.committed("killed", "killed.dead", 2); };
  int kills = 0;
  for (std::int64_t before = 0; kills < 6; ++kills) {
    servers::process one{command, (folder.path / "log").string()};
    auto const give_up = std::chrono::steady_clock::now() + 60s;
    std::int64_t now = 0;
    while ((now = committed()) <= before && !one.ended()) REQUIRE(std::chrono::steady_clock::now() < give_up);
    if (now >= many) break;
    before = now;
    std::this_thread::sleep_for(std::chrono::microseconds{random() % 40'000});
    one.end(SIGKILL);
  }
  CHECK(kills >= 3);
  done(words{command.begin() + 1, command.end()});
  CHECK((values("killed", many + 1) == wanted));
  CHECK_THAT(done(words{"show", "topic:killed.dead", "--group", "killed"} + at_brokers()),
             ContainsSubstring("0 letters in "));
}

TEST_CASE("filters pass letters over, so they want a group of their own") {
  make("choice");
  make("choice.dead");
  produce("choice.dead", {letter("choice", "1", "timed out"), letter("choice", "2", "no number"),
                          letter("elsewhere", "3", "timed out")});
  auto const give_back = words{"return", "topic:choice.dead"} + at_brokers();
  CHECK_THAT(fails(give_back + words{"--error", "timed"}), ContainsSubstring("--group of their own"));
  CHECK_THAT(done(words{"show", "topic:choice.dead", "--error", "timed"} + at_brokers()),
             ContainsSubstring("2 letters in "));
  CHECK_THAT(done(give_back + words{"--error", "timed", "--topic", "choice", "--group", "choice.1"}),
             ContainsSubstring("1 of 3 letters returned") && ContainsSubstring("2 left"));
  CHECK(values("choice", 2) == std::multiset<std::string>{"1"});
  CHECK_THAT(done(give_back + words{"--to", "choice", "--group", "choice.2", "--topic", "elsewhere"}),
             ContainsSubstring("1 to choice"));
  CHECK(values("choice", 3) == std::multiset<std::string>{"1", "3"});
}

TEST_CASE("in front of what can't go back it stops, and says how to pass it over") {
  make("stops", 1);
  make("stops.dead", 1);
  auto const give_back = words{"return", "topic:stops.dead", "--group", "stops"} + at_brokers();
  produce("stops.dead", {letter("stops", "1"), letter("stops", "2"), {"k", "no letter", {}}, letter("stops", "4")});
  for (int i = 0; i < 2; ++i) {
    auto const said = fails(give_back);
    CHECK_THAT(said, ContainsSubstring("stops.dead/0 offset 2") && ContainsSubstring("no header sluice.topic") &&
                         ContainsSubstring("stops.dead:0=3"));
  }
  auto const show = run(words{"show", "topic:stops.dead", "--group", "stops"} + at_brokers());
  CHECK(show.status == 1);
  CHECK_THAT(show.out, ContainsSubstring("1 letter in "));
  CHECK_THAT(show.err, ContainsSubstring("damaged: stops.dead/0 offset 2"));
  CHECK(in("stops", 1, 3).size() == 2);

  produce("stops.dead", {letter("nowhere", "5"), letter("stops", "6", "e", {{"sluice.returned", "many"}})});
  auto const other = words{"return", "topic:stops.dead", "--group", "stops.2", "--to", "stops"} + at_brokers();
  CHECK_THAT(fails(other), ContainsSubstring("offset 2"));
  make("only.nowhere", 1);
  produce("only.nowhere", {letter("nowhere", "5")});
  CHECK_THAT(fails(words{"return", "topic:only.nowhere"} + at_brokers()),
             ContainsSubstring("nowhere") && ContainsSubstring("--to"));
  make("only.many", 1);
  produce("only.many", {letter("stops", "6", "e", {{"sluice.returned", "many"}})});
  CHECK_THAT(fails(words{"return", "topic:only.many", "--group", "many"} + at_brokers()),
             ContainsSubstring("sluice.returned") && ContainsSubstring("\"many\""));
}

TEST_CASE("again and again, until it is asked to end") {
  make("again", 1);
  make("again.dead", 1);
  temporary_folder folder;
  servers::process one{
      words{SLUICE_LETTERS, "return", "topic:again.dead", "--group", "again", "--every", "100ms"} + at_brokers(),
      (folder.path / "log").string()};
  for (int i = 1; i <= 2; ++i) {
    produce("again.dead", {letter("again", std::to_string(i))});
    auto const n = static_cast<std::size_t>(i);
    one.wait_until([&] { return in("again", 1, n).size() == n; });
  }
  auto const status = one.end(SIGTERM);
  CHECK(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 0);
}

TEST_CASE("what is wrong on the command line is said") {
  CHECK_THAT(fails({"show", "paper:x"}), ContainsSubstring("no kind of place") && ContainsSubstring("topic:NAME"));
  CHECK_THAT(fails({"show", "topic:x"}), ContainsSubstring("--brokers"));
  CHECK_THAT(fails({"return", "file:x"}), ContainsSubstring("--brokers"));
  CHECK_THAT(fails(words{"return", "file:x", "--table", "t"} + at_brokers()),
             ContainsSubstring("--table is not for file:PATH"));
  CHECK_THAT(fails(words{"return", "topic:x", "--to", "x"} + at_brokers()), ContainsSubstring("--to"));
  CHECK_THAT(fails(words{"show", "topic:nobody.made.it"} + at_brokers()), ContainsSubstring("nobody.made.it"));
  CHECK_THAT(fails(words{"return", "topic:x", "--every", "often"} + at_brokers()), ContainsSubstring("--every"));
  fails({"return"}, 2);
  fails({"show", "topic:x", "canary", "words"}, 2);
  CHECK_THAT(done({"--help"}), ContainsSubstring("may go back twice") && ContainsSubstring("exactly once"));
}
