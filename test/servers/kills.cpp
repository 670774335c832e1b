// Consumers on a real Kafka and a real store are killed, or stopped for longer than their session and woken: what they
// counted in the store is the input, each record once; where the store has no transactions, what at_least_once and
// at_most_once promise. One zombie of each store wakes up with a batch in hand when another member has its partitions, and must
// hear from the store that it is too late.
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
    auto environment = environment_;
    environment.push_back("STOP_AT=" + stop_file(i).string());
    return {command, (folder_.path / std::to_string(i)).string(), std::move(environment)};
  }
  std::filesystem::path stop_file(std::size_t i) const { return folder_.path / ("stop" + std::to_string(i)); }

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
  /// It stops by itself, with a batch in hand.
  void ask_to_stop(std::size_t i) const { write_file(stop_file(i), ""); }
  std::string log(std::size_t i) const { return running_[i].log(); }
  std::string said() const {
    std::string all;
    for (auto const& p : running_) all += p.log().substr(0, 20'000) + "\n----\n";
    return all;
  }
};

/// The first words behind `before` in what was said from `from` on; none while it was not, or its line has no end.
std::vector<std::string> words_behind(std::string const& before, std::string const& said, std::size_t from) {
  auto const at = said.find(before, from);
  auto const end = said.find('\n', at);
  if (at == said.npos || end == said.npos) return {};
  std::istringstream words{said.substr(at + before.size(), end - at - before.size())};
  return {std::istream_iterator<std::string>{words}, {}};
}

/// A member stops with a batch in hand, and goes on when the other one has claimed one of the batch's partitions and was killed, so that what
/// that one's handler writes is in nobody's way. True: then the store has refused it. False: it has not come so far.
template <class WaitUntil>
bool wakes_up_refused(counters& both, std::size_t who, WaitUntil const& wait_until) {
  auto const from = both.log(who).size();
  both.ask_to_stop(who);
  std::vector<std::string> held;
  wait_until([&] { return !(held = words_behind("stands still with ", both.log(who), from)).empty(); });
  both.freeze(who, true);
  auto const since = both.log(1 - who).size();
  std::string taken;
  wait_until([&] {
    auto const said = both.log(1 - who);
    for (auto const& of : held)
      if (said.find(of + ": stored ", since) != said.npos) taken = of;
    return !taken.empty();
  });
  both.kill(1 - who);
  auto const asleep = both.log(who).size();
  both.freeze(who, false);
  bool refused = false;
  wait_until([&] {
    auto const said = both.log(who);
    refused = said.find(taken + ": refused", asleep) != said.npos;
    return refused || said.find("assigned:", asleep) != said.npos;
  });
  return refused;
}

enum class fence { told, none };

/// 10 kills and 3 members that are stopped for longer than their session; until it is done.
void through_kills(std::string const& store, std::vector<std::string> const& address,
                   std::function<std::int64_t()> const& handled, std::function<bool()> const& done,
                   std::vector<std::string> environment, fence fenced = fence::told) {
  std::mt19937 random{seed()};
  counters both{store, address, std::move(environment)};
  auto const wait_until = [&](auto reached) {
    for (auto const give_up = std::chrono::steady_clock::now() + 60s; !reached(); both.wait(50ms))
      if (std::chrono::steady_clock::now() > give_up) FAIL("nothing is handled any more\n" << both.said());
  };

  enum what { killed, stopped, stopped_in_hand };
  std::vector<what> turns(13, killed);
  std::fill_n(turns.begin(), 2, stopped);
  turns[2] = fenced == fence::told ? stopped_in_hand : stopped;
  std::shuffle(turns.begin(), turns.end(), random);
  for (auto const turn : turns) {
    REQUIRE_FALSE(done());
    wait_until([&, before = handled()] { return handled() > before; });
    both.wait(std::chrono::milliseconds{random() % 300});
    auto const who = random() % 2;
    if (turn == killed) {
      both.kill(who);
      continue;
    }
    if (turn == stopped_in_hand) {
      bool refused = false;
      for (int tries = 0; !refused && tries < 4; ++tries) refused = wakes_up_refused(both, who, wait_until);
      if (!refused) FAIL("a zombie was not refused\n" << both.said());
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
                      std::function<counts()> const& found, std::vector<std::string> environment = {},
                      fence fenced = fence::told) {
  auto const& wanted = shared().wanted;
  auto const handled = [&] { return sum(found()); };
  through_kills(store, address, handled, [&] { return handled() >= sum(wanted); }, std::move(environment), fenced);
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

TEST_CASE("MariaDB: each record counts once, through 10 kills and 3 zombies") {
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

TEST_CASE("PostgreSQL: each record counts once, through 10 kills and 3 zombies") {
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

namespace {

void counts_in_redis(std::string const& store, redis server) {
  auto const read = [&] {
    auto const words = server.ask({"HGETALL", "hits"});
    counts all;
    for (std::size_t i = 0; i + 1 < words.size(); i += 2) all[words[i]] = std::stoll(words[i + 1]);
    return all;
  };
  counts_each_once(store, {std::to_string(server.port())}, read, {"PASSWORD=" + server.password()});
}

}  // namespace

TEST_CASE("Redis: each record counts once, through 10 kills and 3 zombies") { counts_in_redis("redis", redis{}); }

TEST_CASE("LossyRedis: each record counts once, through 10 kills and 3 zombies, as long as Redis lives") {
  counts_in_redis("lossy_redis", redis{{"--appendfsync", "no"}});
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
void rows_each_once(std::string const& store, std::string const& address, std::vector<std::string> environment = {},
                    fence fenced = fence::told) {
  temporary_folder const folder;
  auto const file = (folder.path / "rows.db").string();
  auto const db = open_sqlite(file, "");
  counts_each_once(
      store, {address, file}, [&] { return counted(db.get(), "select name, count(*) from hits group by name"); },
      std::move(environment), fenced);
}

}  // namespace

TEST_CASE("SQLite: each record counts once, through 10 kills and 3 zombies") {
  temporary_folder const folder;
  auto const file = (folder.path / "counts.db").string();
  auto const db = open_sqlite(file, "create table hits (name text primary key, n integer not null)");
  counts_each_once("sqlite", {file}, [&] { return counted(db.get(), "select name, n from hits"); });
}

TEST_CASE("File: no record is lost, through 10 kills and 3 zombies") {
  temporary_folder const folder;
  rows_each_once("file", folder.name());
}

TEST_CASE("PeriodicKafka: no record is lost, through 10 kills and 3 zombies") {
  rows_each_once("periodic_kafka", "-", {}, fence::none);
}

TEST_CASE("S3: no record is lost, through 10 kills and 3 zombies") {
  s3 const server;
  rows_each_once("s3", server.endpoint(),
                 {"AWS_ACCESS_KEY_ID=" + server.key(), "AWS_SECRET_ACCESS_KEY=" + server.secret()});
}

TEST_CASE("WebHDFS: no record is lost, through 10 kills and 3 zombies") {
  hdfs const server;
  server.ask("PUT", "/counters?op=MKDIRS");
  server.ask("PUT", "/counters?op=SETOWNER&owner=sluice");
  rows_each_once("webhdfs", server.address());
}

TEST_CASE("HBase: no record is lost, through 10 kills and 3 zombies") {
  hbase const server;
  rows_each_once("hbase", server.address());
}

TEST_CASE("ZooKeeper_at_least_once: no record is lost, through 10 kills and 3 zombies") {
  shared();
  CHECK(notes_of("at_least_once").size() == partitions * in_each);
}

TEST_CASE("ZooKeeper_at_most_once: no record is handled twice, through 10 kills and 3 zombies") {
  shared();
  auto const notes = notes_of("at_most_once");
  CHECK(notes.size() > partitions * in_each / 2);
  for (auto const& [at, times] : notes)
    if (times != 1) FAIL(at.first << "/" << at.second << " was handled " << times << " times");
}
