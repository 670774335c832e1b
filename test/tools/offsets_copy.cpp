// sluice-offsets between all pairs of stores, and layouts that are not the library's.
#include <sluice/testing/embedded_broker.hpp>

#include "offset_store/postgres_support.hpp"
#include "offset_store/sqlite_support.hpp"
#include "offsets.hpp"
#include "servers/redis.hpp"

using namespace offsets;

namespace {

struct servers_of_all {
  servers::postgres& postgres = server();
  servers::redis redis{};
  sluice::testing::embedded_broker kafka{};
  temporary_folder here{};

  servers_of_all() {
    kafka.create_topic("orders", 3);
    for (int p = 0; p < 3; ++p)
      kafka.produce_all("orders", p, std::vector<sluice::testing::produced>(50, {.value = "x"}));
    std::filesystem::create_directory(here.path / "files");
  }
  /// The embedded broker can't tell who is in a group.
  words by_kafka() const { return {"--brokers", kafka.bootstrap(), "--group-may-be-alive"}; }
  std::string connection() const {
    return "postgres:host=127.0.0.1 port=" + std::to_string(postgres.port()) + " user=owner dbname=postgres";
  }
  std::map<std::string, place> places() const {
    return {{"sqlite", {"sqlite:" + (here.path / "offsets.db").string()}},
            {"file", {"file:" + (here.path / "files").string()}},
            {"postgres", {connection(), {}, secrets()}},
            {"redis", {"redis:127.0.0.1:" + std::to_string(redis.port()), {"--password-variable", "REDIS"}, secrets()}},
            {"kafka", {"kafka:"}}};
  }
  words secrets() const { return {"PGPASSWORD=" + postgres.password(), "REDIS=" + redis.password()}; }
};
servers_of_all& all() {
  static servers_of_all one;
  return one;
}

}  // namespace

TEST_CASE("from each store to each other and back: the positions are the same") {
  auto const places = all().places();
  for (auto const& [a, from] : places)
    for (auto const& [b, to] : places) {
      if (a == b) continue;
      if (a == "kafka" || b == "kafka")
        there_and_back(from, to, a + "-" + b, all().by_kafka(), {"--brokers", all().kafka.bootstrap()});
      else
        there_and_back(from, to, a + "-" + b);
    }
}

TEST_CASE("a table of somebody else's is read, and written as it was") {
  auto const [type, last] = GENERATE(table<std::string, bool>({{"bigint", false}, {"text", true}}));
  INFO(type);
  words const layout = words{"--table", "spark", "--columns", "topic,partid,until", "--group-column", "consumer"} +
                       (last ? words{"--stored-offset-is", "last"} : words{});
  auto const ddl = "create table spark (consumer text, topic text, partid integer, until " + type +
                   ", primary key (consumer, topic, partid))";
  auto const rows_in =
      "insert into spark values ('billing', 'orders', 0, '41'), ('billing', 'orders', 1, '17'), "
      "('other', 'orders', 0, '3')";
  words const there = last ? words{"orders:0=42", "orders:1=18"} : words{"orders:0=41", "orders:1=17"};

  temporary_folder place_for;
  auto const file = (place_for.path / "spark.db").string();
  rows(file, ddl);
  rows(file, rows_in);
  plain_session session{all().postgres.connection()};
  session.rows("drop table if exists spark");
  session.rows(ddl);
  session.rows(rows_in);
  auto const look = [&](bool sqlite) {
    auto const sql = "select consumer, topic, partid, until from spark order by 1, 2, 3";
    return sqlite ? rows(file, sql) : session.rows(sql);
  };
  for (auto const& table : {place{"sqlite:" + file, layout}, place{all().connection(), layout, all().secrets()}}) {
    INFO(table.word);
    bool const sqlite = table.word.starts_with("sqlite");
    CHECK(at(table, "billing") == there);
    place const own{"sqlite:" + (place_for.path / (sqlite ? "a.db" : "b.db")).string()};
    done(words{"copy"} + table.as("from") + own.as("to") + words{"--group", "billing"} + at_once, all().secrets());
    CHECK(at(own, "billing") == there);

    // And back: what was there is changed, what was not is added, what is another group's stays.
    done(words{"set"} + own.as_store() + words{"--group", "billing", "orders:0=7", "clicks:0=9"} + at_once);
    auto const said =
        done(words{"copy"} + own.as("from") + table.as("to") + words{"--group", "billing"} + at_once, all().secrets());
    CHECK_THAT(said, ContainsSubstring("2 of 3 positions changed"));
    CHECK_THAT(said, !ContainsSubstring("fingerprint"));
    auto const less = last ? 1 : 0;
    CHECK(look(sqlite) == words{"billing|clicks|0|" + std::to_string(9 - less),
                                "billing|orders|0|" + std::to_string(7 - less), "billing|orders|1|17",
                                "other|orders|0|3"});
  }
}

TEST_CASE("Redis hashes of somebody else's are read, and written as they were") {
  auto& redis = all().redis;
  place const hashes{
      "redis:127.0.0.1:" + std::to_string(redis.port()),
      {"--password-variable", "REDIS", "--key", "spark:{group}:{topic}:at", "--stored-offset-is", "last"},
      all().secrets()};
  redis.ask({"HSET", "spark:b*lling:orders:at", "0", "41", "1", "-1"});
  redis.ask({"HSET", "spark:billing:orders:at", "0", "1"});
  CHECK(at(hashes, "b*lling") == words{"orders:0=42", "orders:1=0"});
  CHECK(at(hashes, "nobody").empty());

  temporary_folder files;
  place const own{"file:" + files.name()};
  done(words{"copy"} + hashes.as("from") + own.as("to") + words{"--group", "b*lling"} + at_once, all().secrets());
  CHECK(at(own, "b*lling") == words{"orders:0=42", "orders:1=0"});
  done(words{"set"} + own.as_store() + words{"--group", "b*lling", "orders:1=8", "clicks:0=3"} + at_once);
  done(words{"copy"} + own.as("from") + hashes.as("to") + words{"--group", "b*lling"} + at_once, all().secrets());
  CHECK(redis.ask({"HGETALL", "spark:b*lling:orders:at"}) == words{"0", "41", "1", "7"});
  CHECK(redis.ask({"HGETALL", "spark:b*lling:clicks:at"}) == words{"0", "2"});
  CHECK(redis.ask({"HGETALL", "spark:billing:orders:at"}) == words{"0", "1"});
}

TEST_CASE("plain commits in Kafka are read, and written without a note") {
  auto const with = words{"--group", "plain"} + all().by_kafka();
  place const plain{"kafka:", {"--plain"}}, noted{"kafka:"};
  done(words{"set"} + plain.as_store() + with + words{"orders:1=4"});
  auto const look = words{"--brokers", all().kafka.bootstrap()};
  CHECK(at(noted, "plain", look) == words{"orders:1=4"});
  auto const shown = json::parse(done(words{"export", "kafka:", "--group", "plain"} + look));
  CHECK_FALSE(shown.at("positions").at(0).contains("incarnation"));

  // With the library's note.
  done(words{"set"} + noted.as_store() + with + words{"orders:1=6"});
  CHECK(at(noted, "plain", look) == words{"orders:1=6"});
  auto const now = json::parse(done(words{"export", "kafka:", "--group", "plain"} + look));
  CHECK(now.at("positions").at(0).contains("incarnation"));
  done(words{"set"} + plain.as_store() + with + words{"orders:1=4"});
  auto const bare = json::parse(done(words{"export", "kafka:", "--group", "plain"} + look));
  CHECK_FALSE(bare.at("positions").at(0).contains("incarnation"));

  // A partition that nobody has committed for, in a topic of which only another is known.
  done(words{"set"} + plain.as_store() + words{"--group", "sparse"} + all().by_kafka() + words{"orders:2=4"});
  done(words{"set"} + noted.as_store() + words{"--group", "sparse", "--timeout", "5s"} + all().by_kafka() +
       words{"orders:1=6"});
  CHECK(at(noted, "sparse", look) == words{"orders:1=6", "orders:2=4"});
}
