/// \file output/sqlite_upsert.hpp  The newest value of each key in an SQLite table, whatever is repeated or comes late.
#pragma once
#include <sluice/output/sqlite_table.hpp>
#include <sluice/output/upsert_records.hpp>

#include <memory>

namespace sluice { inline namespace v0 {

struct sqlite_upsert_into {
  std::string path{};
  std::string table{};                            ///< created where it isn't there
  std::vector<std::string> key{};                 ///< columns
  std::vector<std::string> columns{};             ///< the others
  std::function<std::int64_t(record)> version{};  ///< which of two is newer, for keys that come from several partitions
  std::chrono::milliseconds lock_timeout{5000};
};

/// What the mapping writes a record's row with: `row(key…, columns…)`, the values in their order, of the types that
/// sqlite_transaction::execute takes. A tombstone's row is kept, marked deleted, its other columns null.
/// For one record the first row of a key counts. A mapping may write no row, or several.
class sqlite_upsert_row {
  template <class>
  friend class sqlite_upsert;
  enum { write_row, delete_row, partition_of };

  detail::sqlite::output_table table_;
  std::size_t keys_;
  std::size_t columns_;
  std::function<std::int64_t(record)> version_;
  detail::mapped_record at_{};

 public:
  explicit sqlite_upsert_row(sqlite_upsert_into c)
      : table_("sqlite_upsert", c.path, c.lock_timeout, c.table, create(c), statements(c)),
        keys_(c.key.size()),
        columns_(c.columns.size()),
        version_(std::move(c.version)) {}

  template <class... A>
  void operator()(A const&... values) {
    if (sizeof...(A) != keys_ + columns_) table_.wrong_number(keys_ + columns_, sizeof...(A));
    write(at_.now.is_tombstone() ? delete_row : write_row, values...);
  }
  /// Marks the key as deleted, for records that say so in another way than by being a tombstone.
  template <class... K>
  void remove(K const&... key) {
    if (sizeof...(K) != keys_) table_.wrong_number(keys_, sizeof...(K));
    write(delete_row, key...);
  }

 private:
  template <class... A>
  void write(std::size_t how, A const&... values) {
    auto const own = static_cast<int>(how == write_row ? keys_ + columns_ : keys_);
    bind_first(how, own, values...);
    auto* s = table_.statement(how);
    auto const bind = [&](int i, auto const& v) {
      table_.checked(detail::sqlite::bind(s, own + i, v, SQLITE_STATIC), how);
    };
    bind(1, at_.partition);
    bind(2, at_.now.incarnation());
    bind(3, at_.now.offset());
    bind(4, version_ ? version_(at_.now) : 0);
    if (table_.run(how) == 0 && !version_) refuse_another_partition(values...);
  }
  template <class... A>
  void bind_first(std::size_t statement, int n, A const&... values) {
    int i = 0;
    ((++i <= n ? table_.checked(detail::sqlite::bind(table_.statement(statement), i, values, SQLITE_STATIC), statement)
               : void()),
     ...);
  }
  /// Nothing was written: an older record, or one from elsewhere.
  template <class... A>
  void refuse_another_partition(A const&... values) {
    bind_first(partition_of, static_cast<int>(keys_), values...);
    std::string from;
    std::int64_t length = 0;
    table_.first(partition_of, [&](sqlite_row r) {
      from = r.get<std::string>(0);
      length = r.get<std::int64_t>(1);
    });
    if (from == at_.partition) return;
    detail::of_two_partitions("sqlite_upsert", std::to_string(length), at_.partition, from);
  }

  static std::string create(sqlite_upsert_into const& c) {
    if (c.key.empty())
      throw error(errc::bad_configuration, "sqlite_upsert.key names no column: name those that tell rows apart");
    auto all = c.key;
    all.insert(all.end(), c.columns.begin(), c.columns.end());
    detail::sqlite::check_names("sqlite_upsert", c.table, all);
    return "create table if not exists \"" + c.table + "\" (" +
           detail::sqlite::list(
               c.key, [](std::string const& n) { return n + " not null, "; }, "") +
           detail::sqlite::list(
               c.columns, [](std::string const& n) { return n + ", "; }, "") +
           "sluice_partition text not null, sluice_incarnation integer not null, sluice_offset integer not null, "
           "sluice_version integer not null, sluice_deleted integer not null, primary key (" +
           detail::sqlite::list(c.key) + ")) without rowid";
  }
  static std::vector<std::string> statements(sqlite_upsert_into const& c) {
    using detail::sqlite::list;
    auto const place = "sluice_partition, sluice_incarnation, sluice_offset, sluice_version, sluice_deleted";
    auto const set_place =
        "sluice_partition = excluded.sluice_partition, sluice_incarnation = excluded.sluice_incarnation, "
        "sluice_offset = excluded.sluice_offset, sluice_version = excluded.sluice_version, "
        "sluice_deleted = excluded.sluice_deleted where ";
    auto const newer =
        c.version ? "(excluded.sluice_version, excluded.sluice_partition, excluded.sluice_incarnation, "
                    "excluded.sluice_offset) > "
                    "(sluice_version, sluice_partition, sluice_incarnation, sluice_offset)"
                  : "excluded.sluice_partition = sluice_partition and "
                    "(excluded.sluice_incarnation, excluded.sluice_offset) > (sluice_incarnation, sluice_offset)";
    auto const marks = [](std::string const&) { return "?, "; };
    auto const into = "insert into \"" + c.table + "\" (" + list(c.key) + ", ";
    auto const conflict = " on conflict (" + list(c.key) + ") do update set ";
    auto const taken = list(c.columns, [](std::string const& n) { return n + " = excluded." + n + ", "; }, "");
    auto const cleared = list(c.columns, [](std::string const& n) { return n + " = null, "; }, "");
    return {into +
                list(
                    c.columns, [](std::string const& n) { return n + ", "; }, "") +
                place + ") values (" + list(c.key, marks, "") + list(c.columns, marks, "") + "?, ?, ?, ?, 0)" +
                conflict + taken + set_place + newer,
            into + place + ") values (" + list(c.key, marks, "") + "?, ?, ?, ?, 1)" + conflict + cleared + set_place +
                newer,
            "select sluice_partition, " +
                list(
                    c.key, [](std::string const& n) { return "length(cast(" + n + " as blob))"; }, " + ") +
                " from \"" + c.table + "\" where " +
                list(c.key, [](std::string const& n) { return n + " = ?"; }, " and ")};
  }
};

/// A handler for `idempotent`:
///
///     sl::sqlite_upsert out{{.path = "clients.db", .table = "last_request", .key = {"address"}, .columns = {"line"}},
///                           [](sl::record r, auto& row) { row(r.key_text(), r.text()); }};
///     consumer.run(stop, out);
///
/// Each row keeps where its record stood (sluice_partition, sluice_incarnation, sluice_offset) and is written by one
/// statement, and only if the record is newer: so repeated, late and reordered batches end the same. Within a partition
/// newer means (incarnation, offset); a key that comes from two partitions is an error(bad_statement), unless `.version`
/// tells which is newer (then ties go by partition, incarnation, offset). Deleted rows stay, sluice_deleted = 1, so that
/// nothing old can come back: ask for `where sluice_deleted = 0`.
///
/// A batch is one transaction, durable when the call returns. What the mapping throws goes through, and nothing of the
/// batch is kept. A database that fails throws store_error: never the record's fault. One thread.
template <class Map>
class sqlite_upsert {
  std::unique_ptr<sqlite_upsert_row> row_;
  Map map_;

 public:
  using idempotent_output = void;

  /// Throws error(bad_configuration), or store_error for a file that can't be read.
  sqlite_upsert(sqlite_upsert_into into, Map map)
      : row_(std::make_unique<sqlite_upsert_row>(std::move(into))), map_(std::move(map)) {}

  void operator()(batch const& b) {
    if (b.size() == 0) return;
    row_->table_.in_transaction([&] { detail::map_batch(b, row_->at_, map_, *row_); });
  }
};

}}  // namespace sluice::v0
