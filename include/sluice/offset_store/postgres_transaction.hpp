/// \file offset_store/postgres_transaction.hpp  What a transactional handler writes its results with, beside the offsets.
#pragma once
#include <sluice/offset_store/postgres_columns.hpp>
#include <sluice/offset_store/postgres_rows.hpp>
#include <sluice/state/in_use.hpp>
#include <sluice/state/store.hpp>

#include <ranges>

namespace sluice { inline namespace v0 {

class postgres_offset_store;
class postgres_transaction;

/// A statement prepared once, for use in a loop. Must die before the handler returns.
class postgres_statement {
  friend postgres_transaction;
  postgres_transaction* tx_;
  std::string sql_;
  explicit postgres_statement(postgres_transaction* tx, std::string_view sql) : tx_(tx), sql_(sql) {}

 public:
  /// As postgres_transaction::execute.
  template <class... A>
  std::int64_t execute(A const&... args);
};

/// The transaction that holds a batch's results and its offsets: both are durable together, or neither is. It runs at
/// repeatable read: it sees the database as it was at its first statement, and what another changed meanwhile can't be
/// changed here: the server refuses (40001), all is rolled back, and the batch is handled again. So read-modify-write of
/// keys shared by partitions is safe where the row that is read is also written.
///
/// A statement that the server refuses throws error(bad_statement): it may be the record's fault. PostgreSQL then runs
/// nothing more in the transaction: let the exception pass, or put a savepoint around what may fail (the library does, for
/// `each` with skip or a dead letter). A session that fails throws store_error, which never is the record's fault.
/// Error texts hold no values.
///
/// Each call is one round trip; for many rows use upsert and append. A handler that runs no statement for longer than
/// .idle_in_transaction_timeout loses its transaction. SQL that begins or ends a transaction is refused. Thread: the
/// handler's. Nothing got from here may outlive the handler, but rows may.
class postgres_transaction {
  struct prepared {
    std::string sql{};
    std::vector<unsigned> types{};
    std::string name{};
  };
  detail::postgres::connection& db_;
  std::vector<prepared> prepared_{};
  unsigned session_ = 0;
  unsigned long long names_ = 0;
  bool open_ = false;
  bool savepoint_ = false;
  detail::sql_home home_{};
  detail::states_in_use states_{};
  bool state_is_there_ = false;   // its table
  bool state_is_wanted_ = false;  // by a handler: it is made before the next transaction

  static constexpr std::size_t most_prepared = 64;
  static constexpr std::size_t rows_at_once = 20'000;

 public:
  explicit postgres_transaction(detail::postgres::connection& db) : db_(db) {}
  postgres_transaction(postgres_transaction const&) = delete;
  postgres_transaction& operator=(postgres_transaction const&) = delete;

  /// Runs one statement with its parameters $1, $2, …; rows that it answers are passed over. Answers how many rows it
  /// changed. Values: integers, floating point, bool, text, `bytes` (as bytea), offset, wall_time (ms since 1970),
  /// std::optional, nullptr. Bytes and views whose data() is null are null. Which type a value has says the place where
  /// its parameter stands; where that is open, write $1::bigint. Text must be UTF-8 without zero bytes.
  template <class... A>
  std::int64_t execute(std::string_view sql, A const&... args) {
    return count(run(sql, args...));
  }

  /// Runs one statement and answers its rows.
  template <class... A>
  [[nodiscard]] postgres_rows query(std::string_view sql, A const&... args) {
    return postgres_rows{run(sql, args...)};
  }

  /// For a loop: `auto insert = tx.prepare("insert …"); for (…) insert.execute(…);` It stays prepared for later batches.
  [[nodiscard]] postgres_statement prepare(std::string_view sql) { return postgres_statement{this, sql}; }

  /// A row for each element of `rows`, by one statement for many: `row(element)` gives a tuple, key and columns in order.
  /// A row whose key is there is overwritten; of several with one key the last counts. Answers how many were written.
  ///
  ///     tx.upsert({.table = "last", .key = {"id"}, .columns = {"line"}}, batch,
  ///               [](sl::record r) { return std::tuple{r.key_text(), r.text()}; });
  template <std::ranges::input_range Rows, class Row>
  std::int64_t upsert(postgres_columns const& into, Rows&& rows, Row row) {
    if (into.key.empty())
      throw error(errc::bad_configuration, "postgres: upsert needs .key, the columns that tell rows apart");
    auto all = into.key;
    all.insert(all.end(), into.columns.begin(), into.columns.end());
    auto const sql = upsert_sql(into, all);
    std::vector<detail::postgres::array> columns(all.size());
    std::int64_t written = 0;
    std::size_t waiting = 0;
    auto const write = [&] {
      detail::postgres::parameters p;
      for (auto& c : columns) p.add(std::exchange(c, {}).text());
      waiting = 0;
      written += count(checked(db_.ask_one({sql, std::move(p)}, limit()), sql));
    };
    for (auto&& element : rows) {
      add_row(columns, row(element));
      if (++waiting == rows_at_once) write();
    }
    if (waiting > 0) write();
    return written;
  }

  /// A row for each element of `rows`, by COPY: the fastest way in. `row(element)` gives a tuple, the columns in order.
  template <std::ranges::input_range Rows, class Row>
  std::int64_t append(postgres_columns const& into, Rows&& rows, Row row) {
    if (!into.key.empty()) throw error(errc::bad_configuration, "postgres: append knows no .key: name all in .columns");
    auto const sql = "copy " + detail::postgres::quoted_table(into.table) + " (" +
                     detail::postgres::list(into.columns) + ") from stdin";
    must_be_open();
    std::string text;
    auto begun = db_.ask_simply(sql, limit());
    if (!begun.good()) detail::postgres::refused_to_run(db_, begun, sql);
    try {
      for (auto&& element : rows) {
        add_line(text, into.columns.size(), row(element));
        if (text.size() > 60'000) put(text);
      }
      put(text);
    } catch (detail::lost const&) { throw; } catch (...) {
      end_copy("given up", sql);
      throw;
    }
    return count(checked(end_copy(nullptr, sql), sql));
  }

  /// For what libpq can do beyond this. The session is the store's: don't close it, nor end its transaction.
  PGconn* native_handle() const { return db_.get(); }

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
    own("rollback to sluice_record; release sluice_record");
  }
  void release_savepoint() {
    if (!std::exchange(savepoint_, false)) return;
    own("release sluice_record");
  }

 private:
  friend postgres_offset_store;
  friend postgres_statement;
  template <class>
  friend class detail::state_store;

  time_point limit() const { return db_.own_limit(); }

  void must_be_open() const {
    if (open_ && db_.in_transaction()) return;
    throw store_error(errc::store_unavailable, db_.at() + "the transaction has ended: nothing of it is kept");
  }
  void own(char const* sql) {
    must_be_open();
    auto const r = db_.ask_simply(sql, limit());
    if (r.state() == "25P02") refuse(r, sql);
    if (!r.good()) db_.fail(r, "a savepoint");
  }
  detail::postgres::result checked(detail::postgres::result r, std::string_view sql) {
    if (!r.good()) refuse(r, sql);
    return r;
  }
  [[noreturn]] void refuse(detail::postgres::result const& r, std::string_view sql) {
    if (r.state() == "25P02")
      throw error(errc::bad_statement,
                  db_.at() +
                      "an earlier statement of this transaction was refused, and its exception was not"
                      " let pass: nothing of it is kept. Put a savepoint around what may fail");
    detail::postgres::refused_to_run(db_, r, sql);
  }
  template <class... A>
  detail::postgres::result run(std::string_view sql, A const&... args) {
    detail::postgres::check_handlers(sql);
    must_be_open();
    auto r = db_.ask_one({std::string(sql), detail::postgres::parameters::of(args...)}, limit());
    if (PQresultStatus(r.get()) == PGRES_EMPTY_QUERY) detail::postgres::bad_statement("is empty", sql);
    return checked(no_copy(std::move(r)), sql);
  }
  static std::int64_t count(detail::postgres::result const& r) {
    return std::strtoll(PQcmdTuples(r.get()), nullptr, 10);
  }

  template <class... A>
  std::int64_t run_prepared(std::string const& sql, A const&... args) {
    must_be_open();
    auto const p = detail::postgres::parameters::of(args...);
    auto const& name = name_of(sql, p.types());
    auto const v = p.view();
    if (!PQsendQueryPrepared(db_.get(), name.c_str(), v.count, v.values, v.lengths, v.formats, 0))
      db_.lose(PQerrorMessage(db_.get()));
    return count(checked(no_copy(db_.collect(limit())), sql));
  }
  detail::postgres::result no_copy(detail::postgres::result r) {
    if (detail::postgres::connection::is_copy(r))
      db_.lose("a handler's COPY was cut off: use append, or native_handle()");
    return r;
  }
  std::string const& name_of(std::string const& sql, std::vector<unsigned> const& types) {
    if (std::exchange(session_, db_.sessions()) != db_.sessions()) prepared_.clear();
    for (auto const& p : prepared_)
      if (p.sql == sql && p.types == types) return p.name;
    detail::postgres::check_handlers(sql);
    if (prepared_.size() >= most_prepared) {
      checked(db_.ask_simply("deallocate " + prepared_.front().name, limit()), "deallocate");
      prepared_.erase(prepared_.begin());
    }
    auto name = "sluice_" + std::to_string(++names_);
    if (!PQsendPrepare(db_.get(), name.c_str(), sql.c_str(), static_cast<int>(types.size()), types.data()))
      db_.lose(PQerrorMessage(db_.get()));
    checked(db_.collect(limit()), sql);
    prepared_.push_back({sql, types, std::move(name)});
    return prepared_.back().name;
  }

  std::string upsert_sql(postgres_columns const& into, std::vector<std::string> const& all) {
    using detail::postgres::list;
    must_be_open();
    auto const key = list(into.key);
    auto const set = list(into.columns, [](std::string const& n) { return n + " = excluded." + n; });
    return "insert into " + detail::postgres::quoted_table(into.table) + " (" + list(all) + ") select " + list(all) +
           " from (select distinct on (" + key + ") * from " +
           detail::postgres::rows_of_arrays(db_, "postgres: upsert", into.table, all, limit()) + " as v order by " +
           key + ", sluice_i desc) as w on conflict (" + key + ") do " +
           (set.empty() ? "nothing" : "update set " + set);
  }
  template <class Tuple>
  static void add_row(std::vector<detail::postgres::array>& columns, Tuple const& values) {
    detail::postgres::check_size("postgres: upsert", columns.size(), std::tuple_size_v<Tuple>);
    std::apply(
        [&](auto const&... v) {
          std::size_t i = 0;
          (columns[i++].add(v), ...);
        },
        values);
  }
  template <class Tuple>
  static void add_line(std::string& text, std::size_t columns, Tuple const& values) {
    detail::postgres::check_size("postgres: append", columns, std::tuple_size_v<Tuple>);
    bool first = true;
    auto const one = [&](auto const& v) {
      if (!std::exchange(first, false)) text += '\t';
      auto const t = detail::postgres::text_of(v);
      if (!t) {
        text += "\\N";
        return;
      }
      for (char const c : *t) switch (c) {
          case '\\':
            text += "\\\\";
            break;
          case '\t':
            text += "\\t";
            break;
          case '\n':
            text += "\\n";
            break;
          case '\r':
            text += "\\r";
            break;
          default:
            text += c;
        }
    };
    std::apply([&](auto const&... v) { (one(v), ...); }, values);
    text += '\n';
  }
  void put(std::string& text) {
    auto const by = limit();
    while (!text.empty()) {
      auto const rc = PQputCopyData(db_.get(), text.data(), static_cast<int>(text.size()));
      if (rc < 0) db_.lose(PQerrorMessage(db_.get()));
      db_.flush(by);
      if (rc > 0) text.clear();
    }
  }
  detail::postgres::result end_copy(char const* why, std::string const&) {
    auto const by = limit();
    for (int rc = 0; (rc = PQputCopyEnd(db_.get(), why)) <= 0; db_.flush(by))
      if (rc < 0) db_.lose(PQerrorMessage(db_.get()));
    return db_.collect(by);
  }
};

template <class... A>
std::int64_t postgres_statement::execute(A const&... args) {
  return tx_->run_prepared(sql_, args...);
}

}}  // namespace sluice::v0
