/// \file offset_store/sqlite_refusal.hpp  What is said of a statement that the database refuses: never a value.
#pragma once
#include <sluice/offset_store/sqlite_connection.hpp>

namespace sluice { inline namespace v0 { namespace detail::sqlite {

[[noreturn]] inline void bad_statement(std::string const& why, std::string_view sql) {
  throw error(errc::bad_statement, "sqlite: the statement " + beginning_of(sql) + " " + why);
}

[[noreturn]] inline void refused_to_prepare(connection& db, int rc, std::string_view sql) {
  if (rc == SQLITE_AUTH)
    bad_statement(
        "begins or ends a transaction, attaches a file, or changes how it is written: that is the store's to do", sql);
  if (connection::is_of_the_store(rc)) db.fail(rc, sql);
  bool const holds_text = sql.find('\'') != sql.npos;  // and SQLite's message may cite it
  bad_statement("was refused: " + std::string(holds_text ? sqlite3_errstr(rc) : sqlite3_errmsg(db.get())), sql);
}

[[noreturn]] inline void refused_to_bind(connection& db, int rc, std::string_view sql) {
  if (connection::is_of_the_store(rc)) db.fail(rc, sql);
  if (rc == SQLITE_RANGE) bad_statement("was given a number that does not fit into 64 bits with a sign", sql);
  bad_statement("was refused: " + std::string(sqlite3_errstr(rc)), sql);
}

/// SQLite's own message is kept where it names tables and columns; others may cite values (a JSON path, a search).
[[noreturn]] inline void refused_to_run(connection& db, sqlite3_stmt* s, std::string_view sql) {
  auto const rc = sqlite3_extended_errcode(db.get());
  std::string message = sqlite3_errstr(rc);
  switch (rc) {
    case SQLITE_CONSTRAINT_UNIQUE:
    case SQLITE_CONSTRAINT_PRIMARYKEY:
    case SQLITE_CONSTRAINT_ROWID:
    case SQLITE_CONSTRAINT_NOTNULL:
    case SQLITE_CONSTRAINT_CHECK:
    case SQLITE_CONSTRAINT_FOREIGNKEY:
    case SQLITE_CONSTRAINT_DATATYPE:
    case SQLITE_MISMATCH:
      message = sqlite3_errmsg(db.get());
      break;
    default:
      break;
  }
  sqlite3_reset(s);
  if (connection::is_of_the_store(rc)) db.fail(rc, sql);
  bad_statement("failed: " + message, sql);
}

}}}  // namespace sluice::v0::detail::sqlite
