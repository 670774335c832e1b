/// \file postgres_support.hpp  For the tests of what is kept in PostgreSQL: one server a program, a schema for each fixture, a plain look.
#pragma once
#include <sluice/offset_store/postgres.hpp>

#include <memory>
#include <string>
#include <vector>

#include "../servers/postgres.hpp"
#include "catch.hpp"
#include "some_records.hpp"

inline servers::postgres& server() {
  static servers::postgres one;
  return one;
}

/// A session that knows nothing of the library.
class plain_session {
  std::unique_ptr<PGconn, void (*)(PGconn*)> c_;

 public:
  explicit plain_session(std::string const& connection) : c_(PQconnectdb(connection.c_str()), PQfinish) {
    PQsetNoticeProcessor(c_.get(), [](void*, char const*) {}, nullptr);
    if (PQstatus(c_.get()) != CONNECTION_OK) throw std::runtime_error(PQerrorMessage(c_.get()));
  }
  /// All rows, columns between '|', null as "null".
  std::vector<std::string> rows(std::string const& sql) {
    std::unique_ptr<PGresult, void (*)(PGresult*)> const r{PQexec(c_.get(), sql.c_str()), PQclear};
    auto const status = PQresultStatus(r.get());
    if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK) throw std::runtime_error(PQerrorMessage(c_.get()));
    std::vector<std::string> all;
    for (int row = 0; row < PQntuples(r.get()); ++row) {
      std::string text;
      for (int i = 0; i < PQnfields(r.get()); ++i)
        text += (i ? "|" : "") + std::string(PQgetisnull(r.get(), row, i) ? "null" : PQgetvalue(r.get(), row, i));
      all.push_back(text);
    }
    return all;
  }
};

/// A schema of its own.
struct postgres_fixture {
  using store = sl::postgres_offset_store;
  using policy = sl::postgres_offsets;
  static constexpr std::size_t most_round_trips = 1;
  static inline std::string const all_letters =
      "select grp, topic, partition, \"offset\", incarnation, timestamp, encode(\"key\", 'escape'),"
      " encode(value, 'escape'), headers, error, attempts, \"first\" from sluice_offsets_skipped order by partition";
  static inline std::string const letter_value{"a\0b", 3}, letter_error = "br'oken \xff\xc3\xa9",
                                                           letter_shown = "a\\000b", error_shown = "br'oken ?\xc3\xa9";

  std::string schema = "s" + std::to_string(++count());
  sl::postgres_offsets config{.connection = here(), .idle_in_transaction_timeout = std::chrono::milliseconds{2000}};

  postgres_fixture() { plain_session{server().connection()}.rows("create schema " + schema); }

  static int& count() {
    static int n = 0;
    return n;
  }
  std::string here(int port = 0) const {
    return server().connection(port) + " options='-c search_path=" + schema + "'";
  }
  std::unique_ptr<store> open() { return open(0); }
  std::unique_ptr<store> open(int port) {
    if (port) config.connection = here(port);
    auto s = std::unique_ptr<store>{new store(sl::postgres_offsets::open(config, {}))};
    config.connection = here();
    return s;
  }
  static std::string password() { return server().password(); }
  int port() const { return server().port(); }
  void freeze(bool on) { server().freeze(on); }
  void restart() { server().restart(); }

  std::vector<std::string> look(std::string const& sql) { return plain_session{here()}.rows(sql); }
  void forget(std::string const& group, sl::topic_partition const& of) {
    look("delete from sluice_offsets where grp = '" + group + "' and topic = '" + of.topic +
         "' and partition = " + std::to_string(of.partition));
  }
  std::vector<std::string> causes() { return look("select cause from sluice_offsets_rewinds"); }
  void write(sl::postgres_transaction& tx, std::string const& text) {
    tx.execute("create table if not exists results (what text)");
    tx.execute("insert into results values ($1)", text);
  }
  std::vector<std::string> results() {
    look("create table if not exists results (what text)");
    return look("select what from results order by 1");
  }
};
