/// \file output/sqlite_table.hpp  What the SQLite outputs share: a table, a transaction for each batch, a row for each record.
#pragma once
#include <sluice/batch.hpp>
#include <sluice/offset_store/sqlite_refusal.hpp>
#include <sluice/offset_store/sqlite_values.hpp>

#include <functional>
#include <vector>

namespace sluice { inline namespace v0 { namespace detail::sqlite {

/// `"a", "b"`, each through `f`.
template <class F>
std::string list(std::vector<std::string> const& names, F f, std::string_view between = ", ") {
  std::string out;
  for (auto const& n : names) out.append(out.empty() ? "" : between).append(f("\"" + n + "\""));
  return out;
}
inline std::string list(std::vector<std::string> const& names) {
  return list(names, [](std::string const& n) { return n; });
}

/// An output's table: its own connection, closed and opened again after a commit of unknown outcome.
class output_table {
  connection db_;
  std::vector<std::string> sql_{};         // of the statements
  std::vector<sqlite3_stmt*> prepared_{};  // in the same order
  std::string doing_;
  bool doubtful_ = false;

 public:
  /// `create`: run where the table is not there. `sql`: the statements that will be used, by index.
  output_table(std::string const& who, std::string const& path, std::chrono::milliseconds lock_timeout,
               std::string const& table, std::string const& create, std::vector<std::string> sql)
      : db_(who, path, lock_timeout), sql_(std::move(sql)), doing_("writing to " + table) {
    db_.make_durable();
    if (!db_.has_table(table)) make(create);
    try {
      prepare();
    } catch (store_error const& e) {
      std::string const message = sqlite3_errmsg(db_.get());
      finalize();
      if (e.code() != errc::store_damaged) throw;
      throw error(errc::bad_configuration, who + ".table = " + table +
                                               ": that table is there and lacks the columns, or the key, that this "
                                               "output writes: choose another, or move its rows"
                                               " into one that the library makes (" +
                                               message + ")");
    }
  }
  output_table(output_table const&) = delete;
  output_table& operator=(output_table const&) = delete;
  ~output_table() { finalize(); }

  /// Durable when it returns.
  template <class F>
  void in_transaction(F write) {
    if (doubtful_) {
      finalize();
      db_.reopen();
      prepare();
      doubtful_ = false;
    }
    db_.begin(time_point::max());
    try {
      write();
      db_.commit();
    } catch (commit_unknown const&) {
      doubtful_ = true;
      throw;
    } catch (...) {
      db_.rollback();
      throw;
    }
  }

  sqlite3_stmt* statement(std::size_t i) const { return prepared_[i]; }
  void checked(int rc, std::size_t i) {
    if (rc != SQLITE_OK) refused_to_bind(db_, rc, sql_[i]);
  }
  /// How many rows were changed.
  int run(std::size_t i) {
    auto* s = prepared_[i];
    auto const rc = sqlite3_step(s);
    if (rc != SQLITE_DONE && rc != SQLITE_ROW) refused_to_run(db_, s, sql_[i]);
    sqlite3_reset(s);
    return sqlite3_changes(db_.get());
  }
  /// Calls `read` with the first row, if there is one.
  template <class F>
  void first(std::size_t i, F read) {
    auto* s = prepared_[i];
    auto const rc = sqlite3_step(s);
    if (rc != SQLITE_DONE && rc != SQLITE_ROW) refused_to_run(db_, s, sql_[i]);
    if (rc == SQLITE_ROW) read(sqlite_row{s});
    sqlite3_reset(s);
  }

  /// The mapping gave another number of values than there are columns.
  [[noreturn]] void wrong_number(std::size_t wanted, std::size_t given) const {
    throw error(errc::bad_statement, db_.who() + ": a row takes " + std::to_string(wanted) + " values and was given " +
                                         std::to_string(given));
  }

 private:
  void make(std::string const& create) {
    db_.begin(time_point::max());
    try {
      db_.run(create);
      db_.commit();
    } catch (...) {
      db_.rollback();
      throw;
    }
  }
  void prepare() {
    for (auto const& sql : sql_) prepared_.push_back(db_.prepare(sql));
  }
  void finalize() {
    for (auto* s : prepared_) sqlite3_finalize(s);
    prepared_.clear();
  }
};

inline void check_names(std::string const& who, std::string const& table, std::vector<std::string> const& columns) {
  check_sql_name(who + ".table", table);
  for (auto const& c : columns) {
    check_sql_name(who + ", a column's name", c);
    if (c.starts_with("sluice_"))
      throw error(errc::bad_configuration, who + ": a column's name begins with sluice_, which is the library's own");
    if (std::count(columns.begin(), columns.end(), c) != 1)
      throw error(errc::bad_configuration,
                  std::string(who).append(": the column ").append(c).append(" is named twice"));
  }
}

}}}  // namespace sluice::v0::detail::sqlite
