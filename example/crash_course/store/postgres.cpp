#include <sluice/offset_store/postgres.hpp>

#include "../courses.hpp"
#include "../store.hpp"

namespace crash_course { namespace {

std::string table_of(setup const& s) { return "crash_course_" + s.topic.substr(s.topic.find_last_of('-') + 1); }

/// The store alone has a connection, and another program's way to the table is as good as any: psql's library.
class session {
  std::unique_ptr<PGconn, void (*)(PGconn*)> db_;

 public:
  explicit session(setup const& s) : db_(PQconnectdb(s.address.c_str()), PQfinish) {
    if (PQstatus(db_.get()) != CONNECTION_OK) throw std::runtime_error(PQerrorMessage(db_.get()));
  }
  std::unique_ptr<PGresult, void (*)(PGresult*)> run(std::string const& sql) const {
    std::unique_ptr<PGresult, void (*)(PGresult*)> r{PQexec(db_.get(), sql.c_str()), PQclear};
    if (auto const status = PQresultStatus(r.get()); status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK)
      throw std::runtime_error(PQerrorMessage(db_.get()));
    return r;
  }
};

hits_of_clients take_hits(setup const& s) {
  hits_of_clients all;
  session const db{s};
  auto const rows = db.run("select address, hits, bytes from " + table_of(s));
  for (int i = 0; i < PQntuples(rows.get()); ++i)
    all[PQgetvalue(rows.get(), i, 0)] = {std::stoll(PQgetvalue(rows.get(), i, 1)),
                                         std::stoll(PQgetvalue(rows.get(), i, 2))};
  db.run("drop table " + table_of(s));
  return all;
}

void run(member const& m) {
  auto const table = table_of(m.s);
  if (m.s.course == "transactional")
    session{m.s}.run("select pg_advisory_lock(1); create table if not exists " + table +
                     " (address text primary key, hits bigint not null, bytes bigint not null)");
  auto const count = "insert into " + table +
                     " values ($1, 1, $2) on conflict (address) do update set hits = " + table +
                     ".hits + 1, bytes = " + table + ".bytes + excluded.bytes";
  run_course(m,
             sl::postgres_offsets{.connection = m.s.address,
                                  .idle_in_transaction_timeout = std::chrono::milliseconds{m.s.session_ms}},
             [&](sl::postgres_transaction& tx, std::string_view address, std::int64_t bytes) {
               tx.execute(count, address, bytes);
             });
}

registered const here{{"postgres", "a libpq connection string; its password is in PGPASSWORD",
                       promised_by<sl::postgres_offsets>, run, take_hits}};

}}  // namespace crash_course
