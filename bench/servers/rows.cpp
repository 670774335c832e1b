// rows BROKERS POSTGRES [THOUSANDS [ROUNDS]]: each record a row in PostgreSQL, in the offset's transaction and beside it.
#include <sluice/offset_store/postgres.hpp>
#include <sluice/sluice.hpp>

#include "contenders.hpp"
#include "servers/kafka_topics.hpp"

using namespace contenders;
using namespace std::chrono_literals;
namespace sl = sluice;

namespace {

constexpr int partitions = 8;
constexpr auto batching = sl::micro_batch{.max_records = 1000};

using session = std::unique_ptr<PGconn, void (*)(PGconn*)>;

session connect(std::string const& connection) {
  session s{PQconnectdb(connection.c_str()), PQfinish};
  if (PQstatus(s.get()) != CONNECTION_OK) throw std::runtime_error(PQerrorMessage(s.get()));
  return s;
}
void run(PGconn* s, char const* sql, std::vector<char const*> const& values = {}) {
  std::unique_ptr<PGresult, void (*)(PGresult*)> const r{
      PQexecParams(s, sql, static_cast<int>(values.size()), nullptr, values.data(), nullptr, nullptr, 0), PQclear};
  if (PQresultStatus(r.get()) != PGRES_COMMAND_OK) throw std::runtime_error(PQerrorMessage(s));
}

template <class Delivery, class Store, class Handler>
figures read_all(arguments const& a, Delivery delivery, Store const& store, Handler handle) {
  auto const total = std::stoul(a.at(2));
  sl::stream_consumer consumer{delivery, store, batching,
                               sl::kafka{.brokers = a.at(0), .group = a.at(3), .topics = {a.at(1)}}};
  stretch all;
  std::size_t got = 0;
  while (got < total)
    consumer.step(
        [&](sl::batch const& batch, auto&... tx) {
          all.begin();
          handle(batch, tx...);
          got += batch.size();
        },
        100ms);
  return all.end(static_cast<double>(got));
}

/// The same statement as the library's, sent by hand; values need no quoting.
figures beside(arguments const& a) {
  auto const s = connect(a.at(4));
  return read_all(a, sl::at_least_once{}, sl::kafka_offsets{}, [&](sl::batch const& batch) {
    std::string keys = "{", lines = "{";
    for (sl::record r : batch) {
      keys.append(keys.size() > 1 ? ",\"" : "\"").append(r.key_text()) += '"';
      lines.append(lines.size() > 1 ? ",\"" : "\"").append(r.text()) += '"';
    }
    keys += '}';
    lines += '}';
    run(s.get(),
        "insert into last (id, line) select id, line from (select distinct on (id) * from unnest($1::text[], "
        "$2::text[])"
        " with ordinality as v (id, line, i) order by id, i desc) as w on conflict (id) do update set line ="
        " excluded.line",
        {keys.c_str(), lines.c_str()});
  });
}
figures together(arguments const& a) {
  return read_all(a, sl::transactional{}, sl::postgres_offsets{.connection = a.at(4)},
                  [&](sl::batch const& batch, sl::postgres_transaction& tx) {
                    tx.upsert({.table = "last", .key = {"id"}, .columns = {"line"}}, batch,
                              [](sl::record r) { return std::tuple{r.key_text(), r.text()}; });
                  });
}

std::vector<contender> const all{{"at_least_once, kafka_offsets, upsert by hand", beside},
                                 {"transactional, postgres_offsets, tx.upsert", together}};

}  // namespace

int main(int argc, char** argv) try {
  if (was_child(argc, argv, all)) return 0;
  if (argc < 3) {
    fmt::print(stderr, "rows BROKERS POSTGRES [THOUSANDS [ROUNDS]]\n");
    return 2;
  }
  std::string const brokers = argv[1], connection = argv[2];
  auto const thousands = argc > 3 ? std::stoul(argv[3]) : 400;
  auto const rounds = argc > 4 ? std::stoi(argv[4]) : 5;
  servers::kafka_topics const topics{brokers};
  topics.create("rows", partitions);
  auto const s = connect(connection);
  run(s.get(), "create table last (id text primary key, line text)");
  for (int p = 0; p < partitions; ++p) {
    std::vector<servers::topic_record> some;
    for (std::size_t i = 0; i < thousands * 1000 / partitions; ++i)
      some.push_back({"key " + std::to_string(i * 7919 % 10'000), std::string(100, 'x')});
    topics.produce("rows", p, some);
  }
  int group = 0;
  auto const found = compare(all, rounds, [&](contender const&) {
    run(s.get(), "truncate last");
    return arguments{brokers, "rows", std::to_string(thousands * 1000), "rows-" + std::to_string(++group), connection};
  });
  fmt::print("{},000 records of 100 bytes over 10,000 keys, batches of {}, medians of {} runs in turns\n", thousands,
             batching.max_records, rounds);
  fmt::print("{:46} {:>12} {:>8} {:>16}\n", "", "records/s", "ratio", "CPU s/M records");
  for (std::size_t i = 0; i < all.size(); ++i)
    fmt::print("{:46} {:12.0f} {:8.2f} {:16.2f}\n", all[i].name, found[i][0] * 1e6, found[i][0] / found[0][0],
               found[i][1]);
} catch (std::exception const& e) {
  fmt::print(stderr, "{}\n", e.what());
  return 1;
}
