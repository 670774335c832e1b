/// \file offset_store/mysql_statement.hpp  A statement prepared in MariaDB, and running it: once with some values, or for many rows at once.
#pragma once
#include <sluice/offset_store/mysql_refusal.hpp>
#include <sluice/offset_store/mysql_values.hpp>

namespace sluice { inline namespace v0 { namespace detail::mysql {

/// Belongs to one session. What the server refuses is thrown by refused_to_run().
class statement {
  struct close {
    void operator()(MYSQL_STMT* s) const { mysql_stmt_close(s); }
  };
  std::string sql_;
  std::unique_ptr<MYSQL_STMT, close> s_;

 public:
  statement(connection& db, std::string_view sql, time_point by) : sql_(sql), s_(mysql_stmt_init(db.get())) {
    if (!s_) throw std::bad_alloc();
    int failed = 0;
    db.drive(
        by, [&] { return mysql_stmt_prepare_start(&failed, s_.get(), sql_.data(), sql_.size()); },
        [&](int ready) { return mysql_stmt_prepare_cont(&failed, s_.get(), ready); });
    if (failed) refuse(db);
  }
  std::string const& sql() const { return sql_; }

  /// Answers the rows, if it has any, and how many were changed: of an update, how many were found.
  std::pair<mysql_rows, std::int64_t> run(connection& db, parameters& with, time_point by) {
    must_take(with.size());
    must_fit(db, with.bytes_held());
    bind(db, with.get(), 0);
    execute(db, by);
    auto const changed = static_cast<std::int64_t>(mysql_stmt_affected_rows(s_.get()));
    mysql_rows rows;
    bool first = true;
    for (bool more = true; more; more = next(db, by), first = false) {
      if (mysql_stmt_field_count(s_.get()) == 0) continue;
      auto found = fetch(db, by);
      if (first) rows = std::move(found);
    }
    db.note_state();
    return {std::move(rows), std::max<std::int64_t>(changed, 0)};
  }
  /// For each of `rows` rows, in order. All or none are written. Answers how many were changed, as run() does.
  std::int64_t run_for_all(connection& db, std::vector<many_values>& columns, std::size_t rows, time_point by) {
    must_take(columns.size());
    std::vector<MYSQL_BIND> binds;
    binds.reserve(columns.size());
    for (auto& c : columns) binds.push_back(c.bind());
    bind(db, binds.data(), static_cast<unsigned>(rows));
    execute(db, by);
    db.note_state();
    return std::max<std::int64_t>(static_cast<std::int64_t>(mysql_stmt_affected_rows(s_.get())), 0);
  }

 private:
  [[noreturn]] void refuse(connection& db) {
    refusal const r{mysql_stmt_errno(s_.get()), mysql_stmt_error(s_.get()), mysql_stmt_sqlstate(s_.get())};
    db.met(r);
    refused_to_run(db, r, sql_);
  }
  void must_take(std::size_t given) const {
    if (auto const wanted = mysql_stmt_param_count(s_.get()); wanted != given)
      bad_statement("has " + std::to_string(wanted) + " parameters and was given " + std::to_string(given), sql_);
  }
  void must_fit(connection const& db, std::size_t bytes) const {
    if (!db.takes(bytes))
      bad_statement("was given values of " + std::to_string(bytes) + " bytes, and the server's max_allowed_packet is " +
                        std::to_string(db.most_bytes()),
                    sql_);
  }
  void bind(connection& db, MYSQL_BIND* values, unsigned rows) {
    mysql_stmt_attr_set(s_.get(), STMT_ATTR_ARRAY_SIZE, &rows);
    if (values && mysql_stmt_bind_param(s_.get(), values)) refuse(db);
  }
  void execute(connection& db, time_point by) {
    int failed = 0;
    db.drive(
        by, [&] { return mysql_stmt_execute_start(&failed, s_.get()); },
        [&](int ready) { return mysql_stmt_execute_cont(&failed, s_.get(), ready); });
    if (failed) refuse(db);
  }
  bool next(connection& db, time_point by) {
    if (!mysql_stmt_more_results(s_.get())) return false;
    int failed = 0;
    db.drive(
        by, [&] { return mysql_stmt_next_result_start(&failed, s_.get()); },
        [&](int ready) { return mysql_stmt_next_result_cont(&failed, s_.get(), ready); });
    if (failed > 0) refuse(db);
    return failed == 0;
  }

  struct fetched {
    long long number = 0;
    double real = 0;
    unsigned long length = 0;
    my_bool null = 0, cut = 0;
  };
  mysql_rows fetch(connection& db, time_point by) {
    int failed = 0;
    db.drive(
        by, [&] { return mysql_stmt_store_result_start(&failed, s_.get()); },
        [&](int ready) { return mysql_stmt_store_result_cont(&failed, s_.get(), ready); });
    if (failed) refuse(db);
    std::unique_ptr<MYSQL_RES, void (*)(MYSQL_RES*)> const about{mysql_stmt_result_metadata(s_.get()),
                                                                 mysql_free_result};
    auto const n = mysql_num_fields(about.get());
    auto const* fields = mysql_fetch_fields(about.get());
    std::vector<MYSQL_BIND> binds(n);
    std::vector<fetched> slots(n);
    for (unsigned i = 0; i < n; ++i) {
      auto& b = binds[i];
      b.length = &slots[i].length;
      b.is_null = &slots[i].null;
      b.error = &slots[i].cut;
      if (is_integer(fields[i])) {
        b.buffer_type = MYSQL_TYPE_LONGLONG;
        b.buffer = &slots[i].number;
        b.is_unsigned = (fields[i].flags & UNSIGNED_FLAG) != 0;
      } else if (is_real(fields[i])) {
        b.buffer_type = MYSQL_TYPE_DOUBLE;
        b.buffer = &slots[i].real;
      } else {
        b.buffer_type = is_binary(fields[i]) ? MYSQL_TYPE_BLOB : MYSQL_TYPE_STRING;
      }
    }
    mysql_stmt_bind_result(s_.get(), binds.data());
    std::vector<std::vector<cell>> rows;
    for (;;) {  // all of them have arrived: nothing waits
      auto const rc = mysql_stmt_fetch(s_.get());
      if (rc == MYSQL_NO_DATA) break;
      if (rc == 1) refuse(db);
      rows.emplace_back(n);
      for (unsigned i = 0; i < n; ++i) rows.back()[i] = value(i, fields[i], slots[i], binds[i]);
    }
    mysql_stmt_free_result(s_.get());
    return mysql_rows{std::move(rows)};
  }
  cell value(unsigned i, MYSQL_FIELD const& field, fetched const& slot, MYSQL_BIND b) {
    if (slot.null) return {};
    if (is_integer(field)) {
      if (b.is_unsigned) return {static_cast<std::uint64_t>(slot.number)};
      return {static_cast<std::int64_t>(slot.number)};
    }
    if (is_real(field)) return {slot.real};
    std::string text(slot.length, '\0');
    if (!text.empty()) {
      b.buffer = text.data();
      b.buffer_length = text.size();
      mysql_stmt_fetch_column(s_.get(), &b, i, 0);
    }
    return {std::move(text), is_binary(field)};
  }
  static bool is_integer(MYSQL_FIELD const& f) {
    switch (f.type) {
      case MYSQL_TYPE_TINY:
      case MYSQL_TYPE_SHORT:
      case MYSQL_TYPE_INT24:
      case MYSQL_TYPE_LONG:
      case MYSQL_TYPE_LONGLONG:
      case MYSQL_TYPE_YEAR:
        return true;
      default:
        return false;
    }
  }
  static bool is_real(MYSQL_FIELD const& f) { return f.type == MYSQL_TYPE_FLOAT || f.type == MYSQL_TYPE_DOUBLE; }
  static bool is_binary(MYSQL_FIELD const& f) {
    switch (f.type) {
      case MYSQL_TYPE_BIT:
        return true;
      case MYSQL_TYPE_TINY_BLOB:
      case MYSQL_TYPE_MEDIUM_BLOB:
      case MYSQL_TYPE_LONG_BLOB:
      case MYSQL_TYPE_BLOB:
      case MYSQL_TYPE_VAR_STRING:
      case MYSQL_TYPE_STRING:
      case MYSQL_TYPE_VARCHAR:
      case MYSQL_TYPE_GEOMETRY:
        return f.charsetnr == 63;
      default:
        return false;
    }
  }
};

/// Statements of a session by their text: those run last stay prepared.
class statements {
  std::vector<std::unique_ptr<statement>> all_{};
  unsigned session_ = 0;

  static constexpr std::size_t most = 64;

 public:
  statement& of(connection& db, std::string_view sql, time_point by) {
    if (std::exchange(session_, db.sessions()) != db.sessions()) all_.clear();
    auto const is = [&](auto const& s) { return s->sql() == sql; };
    if (auto const found = std::find_if(all_.begin(), all_.end(), is); found != all_.end()) {
      std::rotate(found, found + 1, all_.end());
      return *all_.back();
    }
    auto fresh = std::make_unique<statement>(db, sql, by);
    if (all_.size() >= most) all_.erase(all_.begin());
    all_.push_back(std::move(fresh));
    return *all_.back();
  }
};

}}}  // namespace sluice::v0::detail::mysql
