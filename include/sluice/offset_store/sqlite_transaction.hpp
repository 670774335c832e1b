/// \file offset_store/sqlite_transaction.hpp  What a transactional handler writes its results with, beside the offsets.
#pragma once
#include <sluice/offset_store/sqlite_refusal.hpp>
#include <sluice/offset_store/sqlite_values.hpp>
#include <sluice/state/in_use.hpp>

#include <iterator>
#include <memory>
#include <vector>

namespace sluice { inline namespace v0 {

class sqlite_transaction;
class sqlite_offset_store;

namespace detail::sqlite {

/// A prepared statement of the handler's, kept for the next time.
struct cached {
  std::string sql{};
  sqlite3_stmt* stmt = nullptr;
  int parameters = 0;
  bool lent = false;
  std::uint64_t used = 0;

  cached() = default;
  cached(cached const&) = delete;
  cached& operator=(cached const&) = delete;
  ~cached() { sqlite3_finalize(stmt); }
};

/// Gives a statement back when it dies.
struct give_back {
  void operator()(cached* c) const {
    sqlite3_reset(c->stmt);
    c->lent = false;
  }
};
using lent = std::unique_ptr<cached, give_back>;

}  // namespace detail::sqlite

/// The rows of an answer, to be walked once: `for (auto row : tx.query("select …")) …`. Must die before the handler returns.
class sqlite_rows {
  friend sqlite_transaction;
  sqlite_transaction* tx_;
  detail::sqlite::lent statement_;
  bool row_;
  sqlite_rows(sqlite_transaction* tx, detail::sqlite::lent s, bool row)
      : tx_(tx), statement_(std::move(s)), row_(row) {}

 public:
  class iterator {
    sqlite_rows* rows_ = nullptr;

   public:
    using value_type = sqlite_row;
    using difference_type = std::ptrdiff_t;
    iterator() = default;
    explicit iterator(sqlite_rows* rows) : rows_(rows) {}
    sqlite_row operator*() const { return sqlite_row{rows_->statement_->stmt}; }
    iterator& operator++() {
      rows_->next();
      return *this;
    }
    void operator++(int) { ++*this; }
    friend bool operator==(iterator const& i, std::default_sentinel_t) { return i.rows_->empty(); }
  };
  iterator begin() { return iterator{this}; }
  std::default_sentinel_t end() const { return {}; }
  bool empty() const { return !row_; }

 private:
  inline void next();
};

/// A statement prepared once, for use in a loop. Must die before the handler returns.
class sqlite_statement {
  friend sqlite_transaction;
  sqlite_transaction* tx_;
  detail::sqlite::lent statement_;
  sqlite_statement(sqlite_transaction* tx, detail::sqlite::lent s) : tx_(tx), statement_(std::move(s)) {}

 public:
  /// As sqlite_transaction::execute.
  template <class... A>
  std::int64_t execute(A const&... args);
};

/// The transaction that holds a batch's results and its offsets: both are durable together, or neither is.
/// Statements run at SQLite's only isolation, serialisable, under the file's write lock; so other writers wait.
///
/// A statement that the database refuses throws error(bad_statement): syntax, constraint, type; it may be the record's
/// fault. A database that fails throws store_error, which never is. Error texts hold no values.
/// SQL that begins or ends a transaction, or attaches a file, is refused. Thread: the handler's. Nothing got from here
/// may outlive the handler.
class sqlite_transaction {
  detail::sqlite::connection& db_;
  std::vector<std::unique_ptr<detail::sqlite::cached>> cache_{};
  std::size_t last_ = 0;
  std::uint64_t clock_ = 0;
  bool savepoint_ = false;
  detail::sql_home home_{};
  detail::states_in_use states_{};

  static constexpr std::size_t most_cached = 64;

 public:
  explicit sqlite_transaction(detail::sqlite::connection& db) : db_(db) {}
  sqlite_transaction(sqlite_transaction const&) = delete;
  sqlite_transaction& operator=(sqlite_transaction const&) = delete;

  /// Runs one statement with its parameters, in order; rows that it answers are passed over. Answers how many rows an
  /// insert, update or delete changed. Statements are kept prepared by their text: with `?` for the values a text that
  /// was run before costs a comparison.
  /// Values: integers, floating point, bool, text, `bytes` (a blob), offset, wall_time, std::optional, nullptr. Bytes and
  /// views whose data() is null are null.
  template <class... A>
  std::int64_t execute(std::string_view sql, A const&... args) {
    return run(find(sql), args...);
  }

  /// Runs one statement and answers its rows.
  template <class... A>
  [[nodiscard]] sqlite_rows query(std::string_view sql, A const&... args) {
    auto s = lend(find(sql));
    bind(*s, SQLITE_TRANSIENT, args...);
    bool const row = step(*s);
    return sqlite_rows{this, std::move(s), row};
  }

  /// For a loop: `auto insert = tx.prepare("insert …"); for (…) insert.execute(…);`
  [[nodiscard]] sqlite_statement prepare(std::string_view sql) { return sqlite_statement{this, lend(find(sql))}; }

  /// For what SQLite can do beyond this. The connection is the store's: don't close it.
  sqlite3* native_handle() const { return db_.get(); }

  /// Where the library's own state lies in this file.
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
    if (!savepoint_) return;
    return_all();
    own("rollback to sluice_record");
    release_savepoint();
  }
  void release_savepoint() {
    if (!std::exchange(savepoint_, false)) return;
    own("release sluice_record");
  }

 private:
  friend sqlite_rows;
  friend sqlite_statement;
  friend sqlite_offset_store;
  using cached = detail::sqlite::cached;
  using lent = detail::sqlite::lent;

  /// Resets whatever the handler has left running; forgets the savepoint.
  void return_all() {
    for (auto& c : cache_) sqlite3_reset(c->stmt);
  }
  void forget_savepoint() { savepoint_ = false; }
  /// Before the connection is closed.
  void finalize() {
    cache_.clear();
    last_ = 0;
  }

  static lent lend(cached& c) {
    c.lent = true;
    return lent{&c};
  }

  /// The statement of this text: most often the one used last, or the one after it.
  cached& find(std::string_view sql) {
    auto const is = [&](std::size_t i) { return i < cache_.size() && !cache_[i]->lent && cache_[i]->sql == sql; };
    if (!is(last_) && !is(++last_))
      for (last_ = 0; last_ < cache_.size() && !is(last_);) ++last_;
    if (last_ == cache_.size()) add(sql);
    auto& c = *cache_[last_];
    c.used = ++clock_;
    return c;
  }

  void add(std::string_view sql) {
    auto fresh = std::make_unique<cached>();
    char const* rest = nullptr;
    auto const rc = sqlite3_prepare_v3(db_.get(), sql.data(), static_cast<int>(sql.size()), SQLITE_PREPARE_PERSISTENT,
                                       &fresh->stmt, &rest);
    if (rc != SQLITE_OK) detail::sqlite::refused_to_prepare(db_, rc, sql);
    if (!fresh->stmt) detail::sqlite::bad_statement("is empty", sql);
    if (std::string_view{rest, sql.data() + sql.size()}.find_first_not_of(" \t\n\r;") != sql.npos)
      detail::sqlite::bad_statement("goes on behind its first statement: give one at a time", sql);
    fresh->sql = sql;
    fresh->parameters = sqlite3_bind_parameter_count(fresh->stmt);
    if (cache_.size() >= most_cached) drop_oldest();
    last_ = cache_.size();
    cache_.push_back(std::move(fresh));
  }
  void drop_oldest() {
    auto oldest = cache_.end();
    for (auto i = cache_.begin(); i != cache_.end(); ++i)
      if (!(*i)->lent && (oldest == cache_.end() || (*i)->used < (*oldest)->used)) oldest = i;
    if (oldest != cache_.end()) cache_.erase(oldest);
  }

  template <class... A>
  void bind(cached& c, sqlite3_destructor_type keep, A const&... args) {
    if (static_cast<int>(sizeof...(A)) != c.parameters)
      detail::sqlite::bad_statement(
          "has " + std::to_string(c.parameters) + " parameters and was given " + std::to_string(sizeof...(A)), c.sql);
    auto const rc = detail::sqlite::bind_all(c.stmt, keep, args...);
    if (rc != SQLITE_OK) detail::sqlite::refused_to_bind(db_, rc, c.sql);
  }
  template <class... A>
  std::int64_t run(cached& c, A const&... args) {
    bind(c, SQLITE_STATIC, args...);
    while (step(c)) {}
    sqlite3_reset(c.stmt);
    return sqlite3_changes64(db_.get());
  }
  bool step(cached& c) {
    if (!db_.in_transaction())
      throw store_error(errc::bad_statement,
                        "sqlite: an earlier statement has ended the transaction (\"on conflict"
                        " rollback\", or a failure of the disk): nothing of it is kept");
    auto const rc = sqlite3_step(c.stmt);
    if (rc == SQLITE_ROW) return true;
    if (rc == SQLITE_DONE) return false;
    detail::sqlite::refused_to_run(db_, c.stmt, c.sql);
  }

  void own(char const* sql) {
    detail::sqlite::library_turn const ours{db_};
    if (!db_.in_transaction())
      throw store_error(errc::bad_statement, "sqlite: a statement has ended the transaction: nothing of it is kept");
    db_.run(sql);
  }
};

inline void sqlite_rows::next() { row_ = tx_->step(*statement_); }

template <class... A>
std::int64_t sqlite_statement::execute(A const&... args) {
  return tx_->run(*statement_, args...);
}

}}  // namespace sluice::v0
