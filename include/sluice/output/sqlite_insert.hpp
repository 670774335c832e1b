/// \file output/sqlite_insert.hpp  A row for each record in an SQLite table, once, whatever is repeated.
#pragma once
#include <sluice/output/sqlite_table.hpp>

#include <memory>

namespace sluice { inline namespace v0 {

struct sqlite_insert_into {
  std::string path{};
  std::string table{};  ///< created where it isn't there
  std::vector<std::string> columns{};
  std::chrono::milliseconds lock_timeout{5000};
};

/// What the mapping writes a record's row with: `row(columns…)`, the values in their order, of the types that
/// sqlite_transaction::execute takes. A mapping may write no row, or several, always the same for the same record.
class sqlite_insert_row {
  template <class>
  friend class sqlite_insert;

  detail::sqlite::output_table table_;
  std::size_t columns_;
  record now_{};
  std::int64_t rows_ = 0;  // of this record

 public:
  explicit sqlite_insert_row(sqlite_insert_into const& c)
      : table_("sqlite_insert", c.path, c.lock_timeout, c.table, create(c), {statement(c)}),
        columns_(c.columns.size()) {}

  template <class... A>
  void operator()(A const&... values) {
    if (sizeof...(A) != columns_) table_.wrong_number(columns_, sizeof...(A));
    table_.checked(detail::sqlite::bind_all(table_.statement(0), SQLITE_STATIC, values..., now_.topic(),
                                            now_.incarnation(), now_.partition(), now_.offset(), rows_++),
                   0);
    table_.run(0);
  }

 private:
  static constexpr auto position = "sluice_topic, sluice_incarnation, sluice_partition, sluice_offset, sluice_row";

  static std::string create(sqlite_insert_into const& c) {
    detail::sqlite::check_names("sqlite_insert", c.table, c.columns);
    return "create table if not exists \"" + c.table + "\" (" +
           detail::sqlite::list(
               c.columns, [](std::string const& n) { return n + ", "; }, "") +
           "sluice_topic text not null, sluice_incarnation integer not null, sluice_partition integer not null, "
           "sluice_offset integer not null, sluice_row integer not null, primary key (" +
           position + ")) without rowid";
  }
  static std::string statement(sqlite_insert_into const& c) {
    return "insert into \"" + c.table + "\" (" +
           detail::sqlite::list(
               c.columns, [](std::string const& n) { return n + ", "; }, "") +
           position + ") values (" +
           detail::sqlite::list(
               c.columns, [](std::string const&) { return "?, "; }, "") +
           "?, ?, ?, ?, ?) on conflict (" + position + ") do nothing";
  }
};

/// A handler for `idempotent`:
///
///     sl::sqlite_insert out{{.path = "log.db", .table = "requests", .columns = {"line"}},
///                           [](sl::record r, auto& row) { row(r.text()); }};
///     consumer.run(stop, out);
///
/// Rows are keyed by where their record stood: topic, incarnation, partition, offset (and the number of the row, for
/// mappings that write several); one that is there is left alone. A seek back, or any other rewind, begins a new
/// incarnation, so what is read again then is inserted again.
///
/// A batch is one transaction, durable when the call returns. What the mapping throws goes through, and nothing of the
/// batch is kept. A database that fails throws store_error: never the record's fault. One thread.
template <class Map>
class sqlite_insert {
  std::unique_ptr<sqlite_insert_row> row_;
  Map map_;

 public:
  using idempotent_output = void;

  /// Throws error(bad_configuration), or store_error for a file that can't be read.
  sqlite_insert(sqlite_insert_into const& into, Map map)
      : row_(std::make_unique<sqlite_insert_row>(into)), map_(std::move(map)) {}

  void operator()(batch const& b) {
    if (b.size() == 0) return;
    row_->table_.in_transaction([&] {
      for (record r : b) {
        row_->now_ = r;
        row_->rows_ = 0;
        map_(r, *row_);
      }
    });
  }
};

}}  // namespace sluice::v0
