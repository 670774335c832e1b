// What sluice-offsets is asked, and what it finds: wrong words, wrong values, positions beyond the log; nothing is changed then.
#include <sluice/testing/embedded_broker.hpp>

#include "offset_store/postgres_support.hpp"
#include "offset_store/sqlite_support.hpp"
#include "offsets.hpp"
#include "servers/redis.hpp"

using namespace offsets;

namespace {

struct local {
  temporary_folder folder{};
  std::string file = (folder.path / "offsets.db").string();
  place store{"sqlite:" + file};

  local() { set({"orders:0=5", "orders:1=7"}); }
  void set(words const& to) { done(words{"set"} + store.as_store() + words{"--group", "billing"} + at_once + to); }
  std::string refuses(words const& more, int status = 1) {
    return fails(words{more.front()} + store.as_store() + words{"--group", "billing"} + at_once +
                     words{more.begin() + 1, more.end()},
                 status);
  }
  std::string looks(words const& more, int status = 1) {
    return fails(words{"show"} + store.as_store() + words{"--group", "billing"} + more, status);
  }
  words rewinds() {
    return rows(file, "select topic, partition, cause, from_offset, to_offset from sluice_offsets_rewinds");
  }
  std::string import(std::string const& text, int status = 1) {
    write_file(folder.path / "in.json", text);
    return refuses({"import", "--input", (folder.path / "in.json").string()}, status);
  }
};

struct broker {
  sluice::testing::embedded_broker kafka{};
  broker() {
    kafka.create_topic("orders", 3);
    for (int p = 0; p < 3; ++p)
      kafka.produce_all("orders", p, std::vector<sluice::testing::produced>(10, {.value = "x"}));
  }
  words asked() const { return {"--brokers", kafka.bootstrap(), "--group-may-be-alive"}; }
};
broker& kafka() {
  static broker one;
  return one;
}

}  // namespace

TEST_CASE("each change is recorded; a dry run changes nothing") {
  local l;
  CHECK(l.rewinds().empty());
  auto const before = at(l.store, "billing");
  auto const said =
      done(words{"set"} + l.store.as_store() + words{"--group", "billing", "--dry-run", "orders:0=2", "orders:1=7"});
  CHECK_THAT(said, ContainsSubstring("orders          0       5      2          -3\n"
                                     "orders          1       7      7           =\n"));
  CHECK_THAT(said, ContainsSubstring("Dry run: nothing was changed"));
  CHECK(at(l.store, "billing") == before);
  CHECK(l.rewinds().empty());
  temporary_folder none;
  auto const fresh = (none.path / "new.db").string();
  done(words{"copy"} + l.store.as("from") + words{"--to", "sqlite:" + fresh, "--group", "billing", "--dry-run"});
  CHECK_FALSE(std::filesystem::exists(fresh));

  l.set({"orders:0=2", "orders:1=7"});
  CHECK(at(l.store, "billing") == words{"orders:0=2", "orders:1=7"});
  CHECK(l.rewinds() == words{"orders|0|sluice-offsets set|5|2"});
  CHECK_THAT(done(words{"set"} + l.store.as_store() + words{"--group", "billing", "orders:0=2"}),
             ContainsSubstring("Nothing to change"));
}

TEST_CASE("wrong words are answered with what would be right") {
  local l;
  for (auto const* wrong : {"orders", "orders:0", "orders=3", ":0=3", "orders:x=3", "orders:-1=3", "orders:0=-3",
                            "orders:0=3x", "orders:0=9223372036854775808", "orders:2147483648=3"})
    CHECK_THAT(l.refuses({"set", "--", wrong}), ContainsSubstring("TOPIC:PARTITION=OFFSET"));
  CHECK_THAT(l.refuses({"set"}), ContainsSubstring("either"));
  CHECK_THAT(l.refuses({"set", "orders:0=1", "orders:0=2"}), ContainsSubstring("orders/0 is given more than once"));
  CHECK_THAT(l.refuses({"set", "--to", "latest"}), ContainsSubstring("needs --brokers"));
  for (auto const* wrong :
       {"noon", "2026-01-31", "2026-02-30T00:00:00Z", "2026-01-31T25:00:00Z", "2026-01-31T12:00:00Zz"})
    CHECK_THAT(l.refuses({"set", "--to", wrong}), ContainsSubstring("is none of them"));
  CHECK_THAT(l.refuses({"clamp"}), ContainsSubstring("needs --brokers"));
  CHECK_THAT(l.refuses({"set", "orders:3=1"}), ContainsSubstring("orders/2 has no position either"));
  CHECK_THAT(l.refuses({"set", "orders:0=1", "--timeout", "5"}), ContainsSubstring("500ms"));
  CHECK_THAT(l.looks({"--key", "x"}), ContainsSubstring("--key is not for sqlite:FILE"));
  CHECK_THAT(l.looks({"--columns", "a,b"}), ContainsSubstring("--columns TOPIC,PARTITION,OFFSET"));
  CHECK_THAT(l.looks({"--table", "t", "--columns", "a,b,\"c"}), ContainsSubstring("can't be a name in SQL"));
  CHECK_THAT(l.looks({"--stored-offset-is", "last"}), ContainsSubstring("layouts of your own"));
  CHECK_THAT(l.looks({"--table", "t", "--columns", "a,b,c", "--stored-offset-is", "first"}, 2),
             ContainsSubstring("last"));
  CHECK_THAT(l.looks({"--table", "none", "--columns", "a,b,c"}), ContainsSubstring("no such table: none"));
  CHECK_THAT(l.looks({"--table", "sluice_offsets", "--columns", "topic,partition,nextt"}),
             ContainsSubstring("no such column"));
  CHECK_THAT(fails({"show", "keeper:x", "--group", "g"}),
             ContainsSubstring("no kind of store: ") && ContainsSubstring("file:FOLDER"));
  CHECK_THAT(fails({"show", "kafka:", "--group", "g"}), ContainsSubstring("needs --brokers"));
  CHECK_THAT(fails({"show", "sqlite:/none/x.db", "--group", "g"}), ContainsSubstring("has no positions"));
  fails({}, 2);
  fails({"show"}, 2);
  CHECK_THAT(done({"--help"}), ContainsSubstring("Exit status"));
  CHECK(at(l.store, "billing") == words{"orders:0=5", "orders:1=7"});
}

TEST_CASE("an export is imported again; what is wrong in one is named") {
  local l;
  auto const text = done(words{"export"} + l.store.as_store() + words{"--group", "billing"});
  auto document = json::parse(text);
  CHECK(document.at("format") == "sluice-offsets");
  CHECK(document.at("version") == 1);
  auto const try_with = [&](auto edit) {
    auto other = document;
    edit(other);
    return l.import(other.dump());
  };
  l.set({"orders:0=1", "orders:1=1"});
  CHECK_THAT(l.import("{"), ContainsSubstring("is no JSON object"));
  CHECK_THAT(l.import(std::string(100'000, '[') + std::string(100'000, ']')), ContainsSubstring("is nested deeper"));
  CHECK_THAT(try_with([](json& d) { d["format"] = "other"; }), ContainsSubstring("no export of positions"));
  CHECK_THAT(try_with([](json& d) { d["version"] = 2; }),
             ContainsSubstring("has version 2, this program reads up to 1"));
  CHECK_THAT(try_with([](json& d) { d["version"] = "1"; }), ContainsSubstring("\"version\" must be"));
  CHECK_THAT(try_with([](json& d) { d["positions"] = 3; }), ContainsSubstring("\"positions\" must be a list"));
  CHECK_THAT(try_with([](json& d) { d["positions"][1] = 3; }), ContainsSubstring("position 2: an object"));
  CHECK_THAT(try_with([](json& d) { d["positions"][1].erase("topic"); }), ContainsSubstring("is nothing"));
  CHECK_THAT(try_with([](json& d) { d["positions"][1]["partition"] = 2147483648; }),
             ContainsSubstring("position 2: \"partition\""));
  for (json const& wrong : {json(-1), json("41"), json(4.5), json(nullptr), json(9223372036854775808u)})
    CHECK_THAT(try_with([&](json& d) { d["positions"][1]["next"] = wrong; }),
               ContainsSubstring("position 2, orders/1: \"next\" must be a whole number"));
  CHECK_THAT(try_with([](json& d) { d["positions"][1]["partition"] = 0; }),
             ContainsSubstring("orders/0 is there more than once"));
  CHECK(at(l.store, "billing") == words{"orders:0=1", "orders:1=1"});

  // What an earlier version wrote.
  l.import(content_of(SLUICE_SOURCE_DIR "/test/golden/offsets_export.v1.json"), 0);
  CHECK(at(l.store, "billing") == words{"clicks:0=0", "orders:0=41", "orders:1=9223372036854775806"});

  document["later"] = {1, 2};
  document["positions"][0]["later"] = true;
  l.import(document.dump(), 0);
  CHECK(at(l.store, "billing") == words{"clicks:0=0", "orders:0=5", "orders:1=7"});
}

TEST_CASE("what others have stored and is no offset is named with its place") {
  local l;
  temporary_folder none;
  auto const file = (none.path / "theirs.db").string();
  servers::redis redis;
  plain_session session{server().connection()};
  auto const to = words{"--to", l.store.word, "--group", "billing"} + at_once;
  words const columns{"--from-table", "theirs", "--from-columns", "topic,part,at"};
  for (auto const* wrong : {"twelve", "-1", "1.5", "", "9223372036854775807", "12 "}) {
    INFO(wrong);
    for (auto* const run : {&rows}) {
      run(file, "drop table if exists theirs");
      run(file, "create table theirs (topic text, part int, at text)");
      run(file, std::string("insert into theirs values ('orders', 0, '3'), ('orders', 1, '") + wrong + "')");
    }
    auto const said = fails(words{"copy", "--from", "sqlite:" + file} + columns + to);
    CHECK_THAT(said, ContainsSubstring(file + ", table theirs, orders/1: found \"" + wrong + "\", which is no offset"));
    session.rows("drop table if exists theirs; create table theirs (topic text, part int, at text)");
    session.rows(std::string("insert into theirs values ('orders', 0, '3'), ('orders', 1, '") + wrong + "')");
    auto const from = "postgres:host=127.0.0.1 port=" + std::to_string(server().port()) + " user=owner dbname=postgres";
    CHECK_THAT(fails(words{"copy", "--from", from} + columns + to, 1, {"PGPASSWORD=" + server().password()}),
               ContainsSubstring("table theirs, orders/1: found \"" + std::string(wrong) + "\""));
    redis.ask({"HSET", "at:orders", "0", "3", "1", wrong});
    CHECK_THAT(fails(words{"copy", "--from", "redis:127.0.0.1:" + std::to_string(redis.port()), "--from-key",
                           "at:{topic}", "--from-password-variable", "REDIS"} +
                         to,
                     1, {"REDIS=" + redis.password()}),
               ContainsSubstring("key at:orders, field \"1\": found \"" + std::string(wrong) + "\""));
  }
  rows(file, "update theirs set at = 3, part = -2");
  CHECK_THAT(fails(words{"copy", "--from", "sqlite:" + file} + columns + to),
             ContainsSubstring("found \"-2\", which is no partition"));
  rows(file, "update theirs set part = 0");
  CHECK_THAT(fails(words{"copy", "--from", "sqlite:" + file} + columns + to),
             ContainsSubstring("orders/0 is there more than once"));
  rows(file, "update theirs set part = null");
  CHECK_THAT(fails(words{"copy", "--from", "sqlite:" + file} + columns + to),
             ContainsSubstring("found \"null\", which is no partition"));
  CHECK(at(l.store, "billing") == words{"orders:0=5", "orders:1=7"});
}

TEST_CASE("positions are held against the log") {
  local l;
  auto const with = words{"--group", "billing"} + kafka().asked() + at_once;
  auto const command = [&](char const* name, words const& more = {}) {
    return words{name} + l.store.as_store() + with + more;
  };
  CHECK_THAT(fails(command("set", {"orders:0=11"})), ContainsSubstring("orders/0 is to be 11, and its log ends at 10"));
  CHECK_THAT(fails(command("set", {"orders:7=1"})),
             ContainsSubstring("topic orders has 3 partitions: there is no orders/7"));
  CHECK(at(l.store, "billing") == words{"orders:0=5", "orders:1=7"});

  auto const shown = [&] {
    return done(words{"show"} + l.store.as_store() +
                words{"--group", "billing", "--brokers", kafka().kafka.bootstrap(), "--timeout", "2s"});
  };
  // One that the group doesn't know yet: it begins where the log begins.
  done(command("set", {"orders:0=10"}));
  CHECK_THAT(shown(), ContainsSubstring("orders          0    10       0    10    0"));
  done(command("set", {"--to", "earliest"}));
  CHECK(at(l.store, "billing") == words{"orders:0=0", "orders:1=0", "orders:2=0"});
  done(command("set", {"--to", "latest", "--topic", "orders"}));
  CHECK(at(l.store, "billing") == words{"orders:0=10", "orders:1=10", "orders:2=10"});
  CHECK_THAT(done(command("clamp")), ContainsSubstring("Nothing to change"));
  l.set({"orders:1=900", "orders:2=4"});
  CHECK_THAT(shown(), ContainsSubstring("-890  no    -            beyond the log's end"));
  CHECK_THAT(done(command("clamp")), ContainsSubstring("1 of 3 positions changed"));
  CHECK(at(l.store, "billing") == words{"orders:0=10", "orders:1=10", "orders:2=4"});

  // In Kafka it is gone: shown all the same.
  l.set({"orders:3=8"});
  CHECK_THAT(shown(),
             ContainsSubstring(
                 "orders          3     8       -     -    -  no    -            there is no such partition in Kafka"));
  rows(l.file, "delete from sluice_offsets where partition = 3");
  rows(l.file, "update sluice_offsets_topics set partitions = 3");

  // A topic that was never claimed: all its partitions get a start.
  kafka().kafka.create_topic("clicks", 2);
  CHECK_THAT(done(command("set", {"clicks:1=0"})),
             ContainsSubstring("clicks          0       -      0         new  not given: its earliest"));
  CHECK(at(l.store, "billing").size() == 5);
  CHECK_THAT(done(words{"watch"} + l.store.as_store() +
                  words{"--group", "billing", "--topic", "orders", "--brokers", kafka().kafka.bootstrap(), "--count",
                        "2", "--every", "1ms"}),
             Catch::Matchers::Matches(
                 "(\\S+Z orders/0 next 10 lag 0\n\\S+Z orders/1 next 10 lag 0\n\\S+Z orders/2 next 4 lag 6\n){2}"));
}

TEST_CASE("on a terminal the table is painted again and again") {
  local l;
  auto const terminal = ::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
  if (terminal < 0) {
    WARN("left out: this machine has no pseudo-terminals (is /dev/pts mounted?)");
    return;
  }
  REQUIRE(::grantpt(terminal) == 0);
  REQUIRE(::unlockpt(terminal) == 0);
  std::string const name = ::ptsname(terminal);
  auto const other_side =
      ::open(name.c_str(), O_RDWR | O_NOCTTY | O_CLOEXEC);  // what is written stays until it is read
  auto const a = run(
      words{"watch"} + l.store.as_store() + words{"--group", "billing", "--count", "2", "--every", "1ms"}, {}, name);
  CHECK(a.status == 0);
  std::string shown(4096, '\0');
  shown.resize(static_cast<std::size_t>(::read(terminal, shown.data(), shown.size())));
  ::close(other_side);
  ::close(terminal);
  auto const first = shown.find("\033[H\033[2JTOPIC   PARTITION  NEXT"),
             second = shown.find("\033[H\033[2JTOPIC", first + 1);
  CHECK(first == 0);
  CHECK(second != std::string::npos);
  CHECK_THAT(shown, ContainsSubstring("orders          1     7"));
}

TEST_CASE("no secret is printed, and none is taken from the command line") {
  auto const port = std::to_string(servers::free_port());
  temporary_folder none;
  write_file(none.path / "password", "canary\n");
  write_file(none.path / "kafka",
             "sasl.password=canary\nsecurity.protocol=sasl_plaintext\nsasl.mechanism=PLAIN\nsasl.username=canary\n");
  write_file(none.path / "broken", "sasl.password canary\n");
  std::vector<words> const all{
      {"show", "postgres:host=127.0.0.1 password=canary port=" + port},
      {"show", "postgres://me:canary@127.0.0.1:" + port + "/db"},
      {"show", "postgres:password='canary"},
      {"show", "postgres:host=127.0.0.1 port=" + port},
      {"show", "redis:me:canary@127.0.0.1:" + port},
      {"show", "redis:127.0.0.1:" + port, "--password-file", (none.path / "password").string()},
      {"show", "redis:127.0.0.1:" + port, "--password", "canary"},
      {"show", "redis:127.0.0.1:" + port, "--password=canary"},
      {"show", "kafka:", "--brokers", "127.0.0.1:" + port, "--kafka-properties", (none.path / "kafka").string()},
      {"show", "kafka:", "--brokers", "127.0.0.1:" + port, "--kafka-properties", (none.path / "broken").string()},
  };
  for (auto const& arguments : all) {
    auto const a = run(arguments + words{"--group", "g", "--timeout", "1s"}, {"PGPASSWORD=canary"});
    INFO(a.out << a.err);
    CHECK((a.status == 1 || a.status == 2));
    CHECK((a.out + a.err).find("canary") == std::string::npos);
  }
  CHECK_THAT(fails(all[0] + words{"--group", "g"}), ContainsSubstring("no password on the command line"));
  CHECK_THAT(fails(all[1] + words{"--group", "g"}), ContainsSubstring("no password on the command line"));

  // With the right one, from a file.
  servers::redis redis;
  write_file(none.path / "password", redis.password() + "\n");
  auto const said = done({"set", "redis:127.0.0.1:" + std::to_string(redis.port()), "--password-file",
                          (none.path / "password").string(), "--group", "g", "orders:0=3", "--sample-for", "0"});
  CHECK_THAT(said, !ContainsSubstring(redis.password()));
}
