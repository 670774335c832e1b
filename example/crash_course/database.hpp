/// A SQLite connection of the program's own: its tables, and what is read back from them.
#pragma once
#include "hits.hpp"

#include <sqlite3.h>

#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>

namespace crash_course {

class database {
  struct closer {
    void operator()(sqlite3* db) const { sqlite3_close_v2(db); }
    void operator()(sqlite3_stmt* s) const { sqlite3_finalize(s); }
  };
  std::unique_ptr<sqlite3, closer> db_;

 public:
  class statement {
    std::unique_ptr<sqlite3_stmt, closer> stmt_;
    int bound_ = 0;

   public:
    explicit statement(sqlite3_stmt* s) : stmt_(s) {}
    statement& bind(std::string_view v) {
      sqlite3_bind_text(stmt_.get(), ++bound_, v.data(), static_cast<int>(v.size()), SQLITE_TRANSIENT);
      return *this;
    }
    statement& bind(std::int64_t v) {
      sqlite3_bind_int64(stmt_.get(), ++bound_, v);
      return *this;
    }
    /// True while there is a row; afterwards the statement is ready to be bound again.
    bool step() {
      auto const rc = sqlite3_step(stmt_.get());
      if (rc == SQLITE_ROW) return true;
      std::string const why = sqlite3_errmsg(sqlite3_db_handle(stmt_.get()));
      sqlite3_reset(stmt_.get());
      bound_ = 0;
      if (rc != SQLITE_DONE) throw std::runtime_error("SQLite: " + why);
      return false;
    }
    std::int64_t integer(int column) { return sqlite3_column_int64(stmt_.get(), column); }
    std::string text(int column) {
      auto const size = static_cast<std::size_t>(sqlite3_column_bytes(stmt_.get(), column));
      auto const* data = static_cast<char const*>(sqlite3_column_blob(stmt_.get(), column));
      return data ? std::string(data, size) : std::string{};
    }
  };

  explicit database(std::string const& path) {
    sqlite3* db = nullptr;
    auto const rc = sqlite3_open(path.c_str(), &db);
    db_.reset(db);
    if (rc != SQLITE_OK) throw std::runtime_error("can't open " + path);
    sqlite3_busy_timeout(db, 20'000);
    run("pragma journal_mode=wal");
  }
  statement prepare(std::string const& sql) {
    sqlite3_stmt* s = nullptr;
    if (sqlite3_prepare_v2(db_.get(), sql.c_str(), -1, &s, nullptr) != SQLITE_OK)
      throw std::runtime_error("SQLite: " + std::string(sqlite3_errmsg(db_.get())));
    return statement{s};
  }
  void run(std::string const& sql) {
    auto s = prepare(sql);
    while (s.step()) {}
  }
};

inline hits_of_clients database_hits(std::string const& path) {
  hits_of_clients all;
  database db{path};
  for (auto q = db.prepare("select address, hits, bytes from hits"); q.step();)
    all[q.text(0)] = {q.integer(1), q.integer(2)};
  return all;
}

}  // namespace crash_course
