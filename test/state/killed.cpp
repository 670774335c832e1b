// Keyed state in each store that holds it, through kill -9: at the end it is what a loop says that knows nothing of the
// library, each record once and in its order.
#include <sluice/offset_store/checkpoint_read.hpp>
#include <sluice/sluice.hpp>
#include <sluice/state/checkpoint.hpp>
#include <sluice/state/mysql.hpp>
#include <sluice/state/postgres.hpp>
#include <sluice/state/redis.hpp>
#include <sluice/state/sqlite.hpp>
#include <sluice/testing/embedded_broker.hpp>

#include <cstdlib>
#include <map>
#include <random>
#include <thread>

#include "catch.hpp"
#include "detail/temporary_folder.hpp"
#include "seed.hpp"
#include "servers/mariadb.hpp"
#include "servers/postgres.hpp"
#include "servers/process.hpp"
#include "servers/redis.hpp"
#include "state/kills.hpp"

namespace sl = sluice;
using namespace std::chrono_literals;

namespace {

/// How many there were, and a hash that tells their order.
using seen = std::pair<std::int64_t, std::uint64_t>;

void see(seen& s, std::string_view value) {
  ++s.first;
  for (char const c : value) s.second = (s.second ^ static_cast<unsigned char>(c)) * 0x100000001b3u;
}

// ---- the child

template <class Store>
void count_on(Store const& store) {
  kills::killer may_kill;
  auto const total = kills::number("SLUICE_TOTAL");
  std::vector<sl::topic_partition> partitions;
  for (auto p = static_cast<int>(kills::number("SLUICE_PARTITIONS")); p-- > 0;) partitions.push_back({"t", p});
  sl::keyed_state<std::string, seen> counts{.name = "counts", .max_bytes = 100'000};
  sl::stream_consumer consumer{
      sl::transactional{},
      store,
      sl::kafka_partitions{.brokers = kills::word("SLUICE_BROKERS"), .group = "counts", .partitions = partitions},
      sl::micro_batch{.max_records = static_cast<std::size_t>(kills::number("SLUICE_BATCH"))},
      kills::watcher{&may_kill},
  };
  for (std::int64_t at = 0; at < total;) {
    consumer.step(
        [&](sl::batch const& b, auto& tx) {
          may_kill();
          counts.update(
              b, tx, [](sl::record r) { return r.key_text(); },
              [&](auto records, std::optional<seen>& s) {
                if (!s) s.emplace();
                for (sl::record const& r : records) see(*s, r.text());
                may_kill();
              });
          may_kill();
        },
        100ms);
    at = 0;
    for (auto const& p : consumer.positions()) at += p.next.value();
  }
}

// ---- what is there, without the library

using counted = std::map<std::pair<int, std::string>, seen>;  // by partition and key

std::uint64_t number_in(std::string_view bytes) {
  std::uint64_t n = 0;
  for (auto i = bytes.size(); i-- > 0;) n = n << 8 | static_cast<unsigned char>(bytes[i]);
  return n;
}
/// A row as it is kept: `k`, the key's length in four bytes, the key; two numbers of eight bytes.
void add_row(counted& all, int partition, std::string_view key, std::string_view value) {
  if (!key.starts_with('k')) return;
  REQUIRE(key.size() == 5 + number_in(key.substr(1, 4)));
  REQUIRE(value.size() == 16);
  seen const s{static_cast<std::int64_t>(number_in(value.substr(0, 8))), number_in(value.substr(8))};
  REQUIRE(all.try_emplace({partition, std::string{key.substr(5)}}, s).second);
}
std::string unhex(std::string_view digits) {
  std::string bytes;
  for (std::size_t i = 0; i + 1 < digits.size(); i += 2)
    bytes += static_cast<char>(std::stoi(std::string{digits.substr(i, 2)}, nullptr, 16));
  return bytes;
}

struct in_sqlite {
  temporary_folder in{};
  std::string store = "sqlite", at = (in.path / "counts.db").string();
  std::vector<std::string> environment{};

  counted look() const {
    sqlite3* opened = nullptr;
    REQUIRE(sqlite3_open(at.c_str(), &opened) == SQLITE_OK);
    std::unique_ptr<sqlite3, int (*)(sqlite3*)> const db{opened, sqlite3_close};
    counted all;
    auto const one = [](void* to, int, char** row, char**) {
      add_row(*static_cast<counted*>(to), std::stoi(row[0]), unhex(row[1]), unhex(row[2]));
      return 0;
    };
    REQUIRE(sqlite3_exec(opened,
                         "select partition, hex(\"key\"), hex(value) from sluice_offsets_state where name = 'counts'",
                         one, &all, nullptr) == SQLITE_OK);
    return all;
  }
};

struct in_checkpoint {
  temporary_folder in{};
  std::string store = "checkpoint", at = in.name();
  std::vector<std::string> environment{};

  counted look() const {
    counted all;
    sl::for_each_state<std::string, seen>(
        {.directory = at}, {.group = "counts"}, "counts",
        [&](sl::topic_partition const& of, std::string const& key, seen const& s) { all[{of.partition, key}] = s; });
    return all;
  }
};
/// Generations are made now and then only: a crash goes back to the last one.
struct in_checkpoint_with_interval : in_checkpoint {
  in_checkpoint_with_interval() { environment.emplace_back("SLUICE_INTERVAL=20"); }
};

struct in_postgres {
  servers::postgres server{};
  std::string store = "postgres", at = server.connection();
  std::vector<std::string> environment{};

  counted look() const {
    std::unique_ptr<PGconn, void (*)(PGconn*)> const db{PQconnectdb(at.c_str()), PQfinish};
    std::unique_ptr<PGresult, void (*)(PGresult*)> const rows{
        PQexec(db.get(),
               "select partition, encode(\"key\", 'hex'), encode(value, 'hex') from sluice_offsets_state where name = "
               "'counts'"),
        PQclear};
    REQUIRE(PQresultStatus(rows.get()) == PGRES_TUPLES_OK);
    counted all;
    for (int i = 0; i < PQntuples(rows.get()); ++i)
      add_row(all, std::stoi(PQgetvalue(rows.get(), i, 0)), unhex(PQgetvalue(rows.get(), i, 1)),
              unhex(PQgetvalue(rows.get(), i, 2)));
    return all;
  }
};

struct in_mariadb {
  servers::mariadb server{};
  std::string store = "mysql", at = std::to_string(server.port());
  std::vector<std::string> environment{"PASSWORD=" + server.password()};
  std::unique_ptr<MYSQL, void (*)(MYSQL*)> db{mysql_init(nullptr), mysql_close};

  in_mariadb() {
    auto const port = static_cast<unsigned>(server.port());
    REQUIRE(mysql_real_connect(db.get(), "127.0.0.1", "owner", server.password().c_str(), nullptr, port, nullptr, 0));
    REQUIRE(mysql_query(db.get(), "create database counts") == 0);
  }
  counted look() const {
    REQUIRE(mysql_query(db.get(),
                        "select `partition`, hex(`key`), hex(value) from counts.sluice_offsets_state where name = "
                        "'counts'") == 0);
    std::unique_ptr<MYSQL_RES, void (*)(MYSQL_RES*)> const rows{mysql_store_result(db.get()), mysql_free_result};
    counted all;
    while (auto* row = mysql_fetch_row(rows.get())) add_row(all, std::stoi(row[0]), unhex(row[1]), unhex(row[2]));
    return all;
  }
};

struct in_redis {
  mutable servers::redis server{};
  std::string store = "redis", at = std::to_string(server.port());
  std::vector<std::string> environment{"PASSWORD=" + server.password()};

  counted look() const {
    counted all;
    for (auto const& hash : server.ask({"KEYS", "*:state:counts:t:*"})) {
      auto const words = server.ask({"HGETALL", hash});
      for (std::size_t i = 0; i + 1 < words.size(); i += 2)  // a time stands in front of each value
        add_row(all, std::stoi(hash.substr(hash.rfind(':') + 1)), words[i], std::string_view{words[i + 1]}.substr(8));
    }
    return all;
  }
};

// ---- the kills

struct extent {
  std::size_t records, keys, batch;
  int kills;
  std::uint64_t calls;         // a child makes this many at most, if it is to be killed
  std::uint64_t microseconds;  // or lives this long
};
constexpr extent quick{6'000, 700, 200, 6, 700, 30'000};
constexpr extent many{1'000'000, 100'000, 5'000, 100, 12'000, 300'000};

template <class Place>
void killed_and_exact(extent const& e) {
  std::mt19937 random{seed()};
  sl::testing::embedded_broker broker;
  auto const partitions = std::max<std::size_t>(2, e.records / 20'000);  // the embedded broker keeps 5 MB of each
  broker.create_topic("t", static_cast<int>(partitions));
  counted wanted;
  {
    std::vector<std::vector<sl::testing::produced>> parts(partitions);
    for (std::size_t i = 0; i < e.records; ++i) {
      auto const key = "key " + std::to_string(random() % e.keys), value = std::to_string(i);
      auto const p = random() % partitions;
      see(wanted[{static_cast<int>(p), key}], value);
      parts[p].push_back({.key = key, .value = value});
    }
    for (std::size_t p = 0; p < partitions; ++p) broker.produce_all("t", static_cast<int>(p), parts[p]);
  }
  Place place;
  temporary_folder logs;
  auto environment = place.environment;
  for (auto const& more :
       {"SLUICE_STORE=" + place.store, "SLUICE_AT=" + place.at, "SLUICE_BROKERS=" + broker.bootstrap(),
        "SLUICE_TOTAL=" + std::to_string(e.records), "SLUICE_PARTITIONS=" + std::to_string(partitions),
        "SLUICE_BATCH=" + std::to_string(e.batch)})
    environment.push_back(more);
  kills::killed(environment, logs.path / "log", e.kills, e.calls, e.microseconds, random);
  kills::ended(environment, logs.path / "log");
  auto const found = place.look();
  CHECK(found.size() == wanted.size());
  CHECK((found == wanted));
}

}  // namespace

TEST_CASE("a child of the tests below", "[.child]") {
  auto const store = kills::word("SLUICE_STORE"), at = kills::word("SLUICE_AT");
  if (store == "sqlite") count_on(sl::sqlite_offsets{.path = at});
  if (store == "checkpoint")
    count_on(sl::checkpoint{
        .directory = at, .interval = std::chrono::milliseconds{kills::number("SLUICE_INTERVAL")}, .max_cache = 50'000});
  if (store == "postgres") count_on(sl::postgres_offsets{.connection = at, .idle_in_transaction_timeout = 1500ms});
  if (store == "mysql")
    count_on(sl::mysql_offsets{.host = "127.0.0.1",
                               .port = std::stoi(at),
                               .user = "owner",
                               .password_variable = "PASSWORD",
                               .database = "counts",
                               .idle_transaction_timeout = 1s});
  if (store == "redis")
    count_on(sl::redis_offsets{.host = "127.0.0.1", .port = std::stoi(at), .password_variable = "PASSWORD"});
}

TEMPLATE_TEST_CASE("keyed state is exact through kill -9", "", in_sqlite, in_checkpoint, in_checkpoint_with_interval,
                   in_postgres, in_mariadb, in_redis) {
  killed_and_exact<TestType>(quick);
}

TEMPLATE_TEST_CASE("keyed state is exact through 100 times kill -9", "[.long]", in_sqlite, in_checkpoint,
                   in_checkpoint_with_interval, in_postgres, in_mariadb, in_redis) {
  killed_and_exact<TestType>(many);
}
