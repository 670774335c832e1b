/// \file offset_store/mysql_transaction.hpp  What a transactional handler writes its results with, beside the offsets.
#pragma once
#include <sluice/offset_store/mysql_columns.hpp>
#include <sluice/state/in_use.hpp>
#include <sluice/state/store.hpp>

#include <ranges>

namespace sluice { inline namespace v0 {

class mysql_offset_store;
class mysql_transaction;

/// A statement for use in a loop. Must die before the handler returns.
class mysql_statement {
  friend mysql_transaction;
  mysql_transaction* tx_;
  std::string sql_;
  explicit mysql_statement(mysql_transaction* tx, std::string_view sql) : tx_(tx), sql_(sql) {}

 public:
  /// As mysql_transaction::execute.
  template <class... A>
  std::int64_t execute(A const&... args);
};

/// The transaction that holds a batch's results and its offsets: both are durable together, or neither is. It runs at
/// repeatable read with innodb_snapshot_isolation: it sees the database as it was at its first read, and what another
/// changed meanwhile can't be changed or locked here: the server refuses (1020), all is rolled back, and the batch is
/// handled again. So read-modify-write of keys shared by partitions is safe where the row that is read is also written.
///
/// All of it must be InnoDB's tables: what is written into others can't be rolled back, and is told as a warning then.
/// MariaDB commits at most other statements than reads and writes of rows, so those are refused; make tables beforehand. A
/// procedure that ends the transaction is seen afterwards: store_error, and nothing behind it is kept.
///
/// A statement that the server refuses throws error(bad_statement): it may be the record's fault; it alone is undone. A
/// session that fails throws store_error, which never is the record's fault. Error texts hold no values.
///
/// Each call is one round trip, the first of a text two; for many rows use upsert and append. A handler that runs no
/// statement for longer than .idle_transaction_timeout loses its transaction. Thread: the handler's. Nothing got from here
/// may outlive the handler, but rows may.
class mysql_transaction {
  detail::mysql::connection& db_;
  detail::mysql::statements prepared_{};
  std::set<std::string> checked_{};  // targets of upsert and append
  unsigned session_ = 0;
  bool open_ = false;
  bool undone_ = false;  // by the server: its savepoints are gone with it
  bool savepoint_ = false;
  detail::sql_home home_{};
  detail::states_in_use states_{};
  bool state_is_there_ = false;   // its table
  bool state_is_wanted_ = false;  // by a handler: it is made before the next transaction

 public:
  explicit mysql_transaction(detail::mysql::connection& db) : db_(db) {}
  mysql_transaction(mysql_transaction const&) = delete;
  mysql_transaction& operator=(mysql_transaction const&) = delete;

  /// Runs one statement with its parameters, ?, in order; rows that it answers are passed over. Answers how many rows it
  /// changed; an update, how many it found. Values: integers, floating point, bool, text, `bytes` (a blob), offset,
  /// wall_time (ms since 1970), std::optional, nullptr. Bytes and views whose data() is null are null. Text must be UTF-8.
  template <class... A>
  std::int64_t execute(std::string_view sql, A const&... args) {
    return run(sql, args...).second;
  }

  /// Runs one statement and answers its rows.
  template <class... A>
  [[nodiscard]] mysql_rows query(std::string_view sql, A const&... args) {
    return run(sql, args...).first;
  }

  /// For a loop: `auto insert = tx.prepare("insert …"); for (…) insert.execute(…);` Any text stays prepared for a while, so
  /// that execute costs no more.
  [[nodiscard]] mysql_statement prepare(std::string_view sql) { return mysql_statement{this, sql}; }

  /// A row for each element of `rows`, many by one statement: `row(element)` gives a tuple, key and columns in order. A row
  /// whose key is there is overwritten; of several with one key the last counts. Answers how many rows there were.
  ///
  ///     tx.upsert({.table = "last", .key = {"id"}, .columns = {"line"}}, batch,
  ///               [](sl::record r) { return std::tuple{r.key_text(), r.text()}; });
  template <std::ranges::input_range Rows, class Row>
  std::int64_t upsert(mysql_columns const& into, Rows&& rows, Row row) {
    if (into.key.empty())
      throw error(errc::bad_configuration, "mysql: upsert needs .key, the columns that tell rows apart");
    auto all = into.key;
    all.insert(all.end(), into.columns.begin(), into.columns.end());
    auto const& overwritten = into.columns.empty() ? into.key : into.columns;
    return write("mysql: upsert", into, all,
                 " on duplicate key update " +
                     detail::mysql::list(overwritten, [](std::string const& n) { return n + " = values(" + n + ")"; }),
                 rows, row);
  }

  /// A row for each element of `rows`, many by one statement. `row(element)` gives a tuple, the columns in order.
  template <std::ranges::input_range Rows, class Row>
  std::int64_t append(mysql_columns const& into, Rows&& rows, Row row) {
    if (!into.key.empty()) throw error(errc::bad_configuration, "mysql: append knows no .key: name all in .columns");
    return write("mysql: append", into, into.columns, "", rows, row);
  }

  /// For what the client library can do beyond this. The session is the store's: don't close it, nor end its transaction.
  MYSQL* native_handle() const { return db_.get(); }

  /// Where the library's own state lies in this database.
  detail::sql_home const& home() const { return home_; }

  /// For the library's own states and windows.
  detail::states_in_use& states_in_use() { return states_; }

  /// What follows can be undone alone; one at a time. Used around each record where only the failing one may be left out.
  void savepoint() {
    own("savepoint sluice_record");
    savepoint_ = true;
  }
  /// Undoes what was written since savepoint(), and ends it.
  void rollback_to_savepoint() {
    if (!std::exchange(savepoint_, false)) return;
    own("rollback to savepoint sluice_record; release savepoint sluice_record");
  }
  void release_savepoint() {
    if (!std::exchange(savepoint_, false)) return;
    own("release savepoint sluice_record");
  }

 private:
  friend mysql_offset_store;
  friend mysql_statement;
  template <class>
  friend class detail::state_store;

  static constexpr unsigned no_savepoint = 1305;

  time_point limit() const { return db_.own_limit(); }

  [[noreturn]] void has_ended() {
    open_ = false;
    throw store_error(errc::bad_statement,
                      db_.at() +
                          "a statement or procedure of the handler's has ended the transaction: what came before it may"
                          " be committed, without the offsets");
  }
  void must_be_open() const {
    if (open_ && db_.in_transaction()) return;
    throw store_error(errc::store_unavailable,
                      db_.at() +
                          "the transaction has ended (one that lies idle for longer than idle_transaction_timeout is"
                          " ended by the server): nothing of it is kept");
  }
  void own(char const* sql) {
    must_be_open();
    auto const a = db_.ask(sql, limit());
    if (a.failed.code == no_savepoint) has_ended();
    if (!a.good()) db_.fail(a.failed, "a savepoint");
  }
  /// What goes wrong so that the server has undone everything ends the transaction here too.
  template <class F>
  auto guarded(F f) {
    must_be_open();
    try {
      auto result = f();
      if (!db_.in_transaction()) has_ended();
      return result;
    } catch (store_conflict const&) {
      open_ = false;
      undone_ = true;
      throw;
    }
  }
  template <class... A>
  std::pair<mysql_rows, std::int64_t> run(std::string_view sql, A const&... args) {
    detail::mysql::check_handlers(sql);
    return guarded([&] {
      detail::mysql::parameters with{args...};
      return prepared_.of(db_, sql, limit()).run(db_, with, limit());
    });
  }

  template <class Rows, class Row>
  std::int64_t write(std::string const& who, mysql_columns const& into, std::vector<std::string> const& all,
                     std::string const& on_duplicates, Rows&& rows, Row row) {
    return guarded([&] {
      if (std::exchange(session_, db_.sessions()) != db_.sessions()) checked_.clear();
      auto const sql = "insert into " + detail::mysql::quoted_table(into.table) + " (" + detail::mysql::list(all) +
                       ") values (" + detail::mysql::list(all, [](std::string const&) { return "?"; }) + ")" +
                       on_duplicates;
      if (!checked_.contains(sql)) {
        detail::mysql::check_target(db_, who, into, limit());
        checked_.insert(sql);
      }
      detail::mysql::row_writer writer{db_, prepared_, sql, all.size()};
      std::int64_t n = 0;
      for (auto&& element : rows) {
        std::apply([&](auto const&... values) { writer.add(who, limit(), values...); }, row(element));
        ++n;
      }
      writer.write(limit());
      return n;
    });
  }
};

template <class... A>
std::int64_t mysql_statement::execute(A const&... args) {
  return tx_->execute(sql_, args...);
}

}}  // namespace sluice::v0
