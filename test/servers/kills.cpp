// Consumers on a real Kafka and a real store are killed, or stopped for longer than their session and woken: what they
// counted in the store is the input, each record once; where the store has no transactions, what at_least_once and
// at_most_once promise.
#include <libpq-fe.h>
#include <sqlite3.h>

#include <functional>
#include <iterator>
#include <random>
#include <sstream>

#include "catch.hpp"
#include "seed.hpp"
#include "servers/hbase.hpp"
#include "servers/hdfs.hpp"
#include "servers/kafka.hpp"
#include "servers/kafka_topics.hpp"
#include "servers/mariadb.hpp"
#include "servers/postgres.hpp"
#include "servers/redis.hpp"
#include "servers/s3.hpp"
#include "servers/zookeeper.hpp"

using namespace servers;

namespace {

constexpr int partitions = 4, in_each = 3'000, keys = 50;
using counts = std::map<std::string, std::int64_t>;

struct input {
  kafka broker{};
  kafka_topics topics{broker.bootstrap()};
  counts wanted{};

  input() {
    topics.create("in", partitions);
    for (std::int32_t p = 0; p < partitions; ++p) {
      std::vector<topic_record> all;
      for (int i = 0; i < in_each; ++i) {
        all.push_back({"key " + std::to_string((i * 7 + p) % keys), "v"});
        ++wanted[all.back().key];
      }
      topics.produce("in", p, all);
    }
  }
};
input& shared() {
  static input one;
  return one;
}

std::int64_t sum(counts const& all) {
  std::int64_t n = 0;
  for (auto const& [key, count] : all) n += count;
  return n;
}

/// Another build of the counter, such as one for another release of the system, that is to be the second member: words
/// between spaces.
std::vector<std::string> other_counter() {
  auto const* const given = std::getenv("SLUICE_OTHER_COUNTER");
  std::istringstream words{given ? given : COUNTER};
  return {std::istream_iterator<std::string>{words}, {}};
}

/// Two members of a group; what ends is started again, as a supervisor would.
class counters {
  temporary_folder folder_{};
  std::vector<std::string> arguments_;
  std::vector<std::string> environment_;
  std::vector<process> running_{};

  process start(std::size_t i) const {
    auto command = i == 0 ? std::vector<std::string>{COUNTER} : other_counter();
    command.insert(command.end(), arguments_.begin(), arguments_.end());
    return {command, (folder_.path / std::to_string(i)).string(), environment_};
  }

 public:
  counters(std::string const& store, std::vector<std::string> const& address, std::vector<std::string> environment)
      : arguments_{store, shared().broker.bootstrap()}, environment_(std::move(environment)) {
    arguments_.insert(arguments_.end(), address.begin(), address.end());
    for (std::size_t i = 0; i < 2; ++i) running_.push_back(start(i));
  }
  void wait(std::chrono::milliseconds t) {
    for (auto const until = std::chrono::steady_clock::now() + t; std::chrono::steady_clock::now() < until;) {
      for (std::size_t i = 0; i < running_.size(); ++i)
        if (running_[i].ended()) running_[i] = start(i);
      std::this_thread::sleep_for(20ms);
    }
  }
  void kill(std::size_t i) {
    running_[i].end(SIGKILL);
    running_[i] = start(i);
  }
  void freeze(std::size_t i, bool on) const { running_[i].freeze(on); }
  std::string said() const {
    std::string all;
    for (auto const& p : running_) all += p.log().substr(0, 20'000) + "\n----\n";
    return all;
  }
};

/// 10 kills and 2 members that are stopped for longer than their session; until it is done.
void through_kills(std::string const& store, std::vector<std::string> const& address,
                   std::function<std::int64_t()> const& handled, std::function<bool()> const& done,
                   std::vector<std::string> environment) {
  std::mt19937 random{seed()};
  counters both{store, address, std::move(environment)};
  auto const wait_until = [&](auto reached) {
    for (auto const give_up = std::chrono::steady_clock::now() + 60s; !reached(); both.wait(50ms))
      if (std::chrono::steady_clock::now() > give_up) FAIL("nothing is handled any more\n" << both.said());
  };

  std::vector<bool> stops(12, false);  // true: stopped and woken; else killed
  std::fill_n(stops.begin(), 2, true);
  std::shuffle(stops.begin(), stops.end(), random);
  for (bool const stop : stops) {
    REQUIRE_FALSE(done());
    wait_until([&, before = handled()] { return handled() > before; });
    both.wait(std::chrono::milliseconds{random() % 300});
    auto const who = random() % 2;
    if (!stop) {
      both.kill(who);
      continue;
    }
    both.freeze(who, true);
    both.wait(4s);
    both.freeze(who, false);
  }
  wait_until(done);
  both.wait(1s);
}

void counts_each_once(std::string const& store, std::vector<std::string> const& address,
                      std::function<counts()> const& found, std::vector<std::string> environment = {}) {
  auto const& wanted = shared().wanted;
  auto const handled = [&] { return sum(found()); };
  through_kills(store, address, handled, [&] { return handled() >= sum(wanted); }, std::move(environment));
  CHECK(found() == wanted);
}

/// What consumers with offsets in ZooKeeper noted, by partition and offset.
std::map<std::pair<int, int>, int> notes_of(std::string const& delivery) {
  zookeeper server;
  temporary_folder const folder;
  auto const file = folder.path / "notes";
  auto const group = "counters-zookeeper-" + delivery;
  auto const all_advanced = [&] {
    for (int p = 0; p < partitions; ++p)
      if (server.get("/consumers/offsets/" + group + "/in/" + std::to_string(p)) != std::to_string(in_each))
        return false;
    return true;
  };
  auto const noted = [&] {
    auto const text = content_of(file);
    return std::count(text.begin(), text.end(), '\n');
  };
  through_kills("zookeeper-" + delivery, {server.address()}, noted, all_advanced, {"NOTES=" + file.string()});
  std::map<std::pair<int, int>, int> notes;
  std::istringstream lines{content_of(file)};
  std::string key;
  for (int p = 0, o = 0; lines >> p >> o && std::getline(lines, key);) ++notes[{p, o}];
  return notes;
}

}  // namespace

TEST_CASE("MariaDB: each record counts once, through 10 kills and 2 zombies") {
  mariadb server;
  std::unique_ptr<MYSQL, void (*)(MYSQL*)> const db{mysql_init(nullptr), mysql_close};
  auto const port = static_cast<unsigned>(server.port());
  REQUIRE(mysql_real_connect(db.get(), "127.0.0.1", "owner", server.password().c_str(), nullptr, port, nullptr, 0));
  for (auto const* sql : {"create database counts", "use counts",
                          "create table hits (name varchar(99) primary key, n bigint not null) engine = InnoDB"})
    REQUIRE(mysql_query(db.get(), sql) == 0);
  auto const read = [&] {
    counts all;
    mysql_query(db.get(), "select name, n from hits");
    std::unique_ptr<MYSQL_RES, void (*)(MYSQL_RES*)> const rows{mysql_store_result(db.get()), mysql_free_result};
    while (auto* row = rows ? mysql_fetch_row(rows.get()) : nullptr) all[row[0]] = std::stoll(row[1]);
    return all;
  };
  counts_each_once("mysql", {std::to_string(server.port())}, read, {"PASSWORD=" + server.password()});
}

TEST_CASE("PostgreSQL: each record counts once, through 10 kills and 2 zombies") {
  postgres server;
  std::unique_ptr<PGconn, void (*)(PGconn*)> const db{PQconnectdb(server.connection().c_str()), PQfinish};
  using result = std::unique_ptr<PGresult, void (*)(PGresult*)>;
  result const made{PQexec(db.get(), "create table hits (name text primary key, n bigint not null)"), PQclear};
  REQUIRE(PQresultStatus(made.get()) == PGRES_COMMAND_OK);
  counts_each_once("postgres", {server.connection()}, [&] {
    result const rows{PQexec(db.get(), "select name, n from hits"), PQclear};
    counts all;
    for (int i = 0; i < PQntuples(rows.get()); ++i)
      all[PQgetvalue(rows.get(), i, 0)] = std::stoll(PQgetvalue(rows.get(), i, 1));
    return all;
  });
}

TEST_CASE("Redis: each record counts once, through 10 kills and 2 zombies") {
  redis server;
  auto const read = [&] {
    auto const words = server.ask({"HGETALL", "hits"});
    counts all;
    for (std::size_t i = 0; i + 1 < words.size(); i += 2) all[words[i]] = std::stoll(words[i + 1]);
    return all;
  };
  counts_each_once("redis", {std::to_string(server.port())}, read, {"PASSWORD=" + server.password()});
}

namespace {

using sqlite_database = std::unique_ptr<sqlite3, int (*)(sqlite3*)>;
sqlite_database open_sqlite(std::string const& file, std::string const& statements) {
  sqlite3* opened = nullptr;
  REQUIRE(sqlite3_open(file.c_str(), &opened) == SQLITE_OK);
  sqlite_database db{opened, sqlite3_close};
  sqlite3_busy_timeout(opened, 10'000);
  REQUIRE(sqlite3_exec(opened, ("pragma journal_mode=wal;" + statements).c_str(), nullptr, nullptr, nullptr) ==
          SQLITE_OK);
  return db;
}
/// What a query that gives keys and numbers finds; nothing while its table is not there.
counts counted(sqlite3* db, char const* query) {
  counts all;
  auto const one = [](void* to, int, char** row, char**) {
    (*static_cast<counts*>(to))[row[0]] = std::stoll(row[1]);
    return 0;
  };
  sqlite3_exec(db, query, one, &all, nullptr);
  return all;
}

/// Of a store that has no transaction: the rows that its counters keep, each named by its record's place.
void rows_each_once(std::string const& store, std::string const& address, std::vector<std::string> environment = {}) {
  temporary_folder const folder;
  auto const file = (folder.path / "rows.db").string();
  auto const db = open_sqlite(file, "");
  counts_each_once(
      store, {address, file}, [&] { return counted(db.get(), "select name, count(*) from hits group by name"); },
      std::move(environment));
}

}  // namespace

TEST_CASE("SQLite: each record counts once, through 10 kills and 2 zombies") {
  temporary_folder const folder;
  auto const file = (folder.path / "counts.db").string();
  auto const db = open_sqlite(file, "create table hits (name text primary key, n integer not null)");
  counts_each_once("sqlite", {file}, [&] { return counted(db.get(), "select name, n from hits"); });
}

TEST_CASE("S3: no record is lost, through 10 kills and 2 zombies") {
  s3 const server;
  rows_each_once("s3", server.endpoint(),
                 {"AWS_ACCESS_KEY_ID=" + server.key(), "AWS_SECRET_ACCESS_KEY=" + server.secret()});
}

TEST_CASE("WebHDFS: no record is lost, through 10 kills and 2 zombies") {
  hdfs const server;
  server.ask("PUT", "/counters?op=MKDIRS");
  server.ask("PUT", "/counters?op=SETOWNER&owner=sluice");
  rows_each_once("webhdfs", server.address());
}

TEST_CASE("HBase: no record is lost, through 10 kills and 2 zombies") {
  hbase const server;
  rows_each_once("hbase", server.address());
}

TEST_CASE("ZooKeeper_at_least_once: no record is lost, through 10 kills and 2 zombies") {
  shared();
  CHECK(notes_of("at_least_once").size() == partitions * in_each);
}

TEST_CASE("ZooKeeper_at_most_once: no record is handled twice, through 10 kills and 2 zombies") {
  shared();
  auto const notes = notes_of("at_most_once");
  CHECK(notes.size() > partitions * in_each / 2);
  for (auto const& [at, times] : notes)
    if (times != 1) FAIL(at.first << "/" << at.second << " was handled " << times << " times");
}
