/// \file output/mysql_upsert.hpp  The newest value of each key in a MariaDB table, whatever is repeated or comes late: for the delivery `idempotent`.
#pragma once
#include <sluice/offset_store/mysql_columns.hpp>
#include <sluice/offset_store/mysql_tables.hpp>
#include <sluice/output/upsert_records.hpp>

#include <functional>
#include <memory>

namespace sluice { inline namespace v0 {

struct mysql_upsert_into {
  std::string host = "localhost";  ///< this and what follows as in mysql_offsets
  int port = 3306;
  std::string user{};
  std::string password{};
  std::string password_file{};
  std::string password_variable{};
  std::string database{};
  std::string tls_ca{};
  /// Created where it isn't there: key columns varchar(255), or less where they are more than three, others longtext. Made
  /// by the user it may have other types; it must be InnoDB's, with the key as its only unique one.
  std::string table{};
  std::vector<std::string> key{};                 ///< columns
  std::vector<std::string> columns{};             ///< the others
  std::function<std::int64_t(record)> version{};  ///< which of two is newer, for keys that come from several partitions
  bool assume_durable = false;
  std::chrono::milliseconds connect_timeout{5000};
  std::chrono::milliseconds statement_timeout{30'000};
  std::chrono::seconds lock_timeout{5};
};

/// What the mapping writes a record's row with: `row(key…, columns…)`, the values in their order, of the types that
/// mysql_transaction::execute takes. A tombstone's row is kept, marked deleted, its other columns null.
/// For one record the first row of a key counts. A mapping may write no row, or several.
class mysql_upsert_row {
  template <class>
  friend class mysql_upsert;
  using writer = detail::mysql::row_writer;
  static constexpr auto who = "mysql_upsert";

  mysql_upsert_into into_;
  std::vector<std::string> own_;  // key and columns
  detail::mysql::connection db_;
  detail::mysql::statements prepared_{};
  std::string write_{}, toggle_{}, partition_of_{};
  std::unique_ptr<writer> rows_{};
  std::unique_ptr<writer> first_{};  // the key of the batch's first row, twice
  detail::mapped_record at_{};

 public:
  explicit mysql_upsert_row(mysql_upsert_into c) : into_(std::move(c)), own_(names(into_)), db_(session(into_)) {
    detail::mysql::check_name(std::string(who) + ".table", into_.table);
    db_.ready(limit());
    make();
    prepare();
  }

  template <class... A>
  void operator()(A const&... values) {
    detail::mysql::check_size(who, own_.size(), sizeof...(A));
    add(at_.now.is_tombstone(), values...);
  }
  /// Marks the key as deleted, for records that say so in another way than by being a tombstone.
  template <class... K>
  void remove(K const&... key) {
    detail::mysql::check_size(who, into_.key.size(), sizeof...(K));
    add(true, key...);
  }

 private:
  static detail::mysql::session_options session(mysql_upsert_into const& into) {
    auto options = detail::mysql::options_of(who, into);
    options.counts_found = false;
    return options;
  }
  time_point limit() const { return db_.own_limit(); }

  /// Deleted: the key, and nulls for the other columns.
  template <class... A>
  void add(bool deleted, A const&... values) {
    auto const put_first = [&](auto put, std::size_t most) {
      std::size_t i = 0;
      [[maybe_unused]] auto const one = [&](auto const& v) {
        if (i < most) put(v), ++i;
      };
      (one(values), ...);
    };
    rows_->row(who, limit(), [&](auto put) {
      put_first(put, deleted ? into_.key.size() : own_.size());
      for (auto i = into_.key.size(); deleted && i < own_.size(); ++i) put(nullptr);
      put(at_.partition);
      put(at_.now.incarnation());
      put(at_.now.offset());
      put(into_.version ? into_.version(at_.now) : std::int64_t{0});
      put(deleted ? 1 : 0);
    });
    while (first_->waiting() < 2) first_->row(who, limit(), [&](auto put) { put_first(put, into_.key.size()); });
  }

  /// One transaction around what `map` writes; durable when it returns.
  template <class F>
  void in_transaction(F map) {
    db_.ready(limit());
    rows_ = std::make_unique<writer>(db_, prepared_, write_, own_.size() + ours().size());
    first_ = std::make_unique<writer>(db_, prepared_, toggle_, into_.key.size());
    try {
      db_.must("start transaction", "begin", limit());
      map();
      rows_->write(limit());
      // Another session's rows, or our own of a lost answer, can be seen before they are on the disk, and a transaction that changes
      // nothing writes nothing out: this one changes a row, and puts it back.
      if (rows_->changed() == 0) first_->write(limit());
      db_.must("commit", "writing", limit());
    } catch (store_error const&) {
      db_.rollback();
      throw;
    } catch (error const& e) {
      if (!into_.version && std::string_view{e.what()}.find("sluice_partition") != std::string_view::npos)
        tell_partitions();
      db_.rollback();
      throw;
    } catch (...) {
      db_.rollback();
      throw;
    }
  }
  /// The statement has refused a row of another partition: which it was.
  void tell_partitions() {
    auto& columns = rows_->columns();
    auto const keys = into_.key.size();
    std::map<std::vector<std::string>, std::string> before;
    for (std::size_t row = 0; row < rows_->waiting(); ++row) {
      std::vector<std::string> key;
      std::size_t size = 0;
      for (std::size_t i = 0; i < keys; ++i) {
        key.emplace_back(columns[i].at(row).value_or(""));
        size += key.back().size();
      }
      auto const comes = std::string(columns[own_.size()].at(row).value_or(""));
      auto [known, fresh] = before.emplace(key, comes);
      if (fresh) {
        auto const came = stored_partition(key);
        if (!came.empty()) known->second = came;
      }
      if (known->second != comes) {
        auto const came = known->second;
        db_.rollback();
        detail::of_two_partitions(who, std::to_string(size), comes, came);
      }
    }
  }
  std::string stored_partition(std::vector<std::string> const& key) {
    std::string sql = partition_of_;
    for (std::size_t i = 0; i < key.size(); ++i)
      sql += (i ? " and " : "") + detail::mysql::in_quotes(into_.key[i]) + " = " + detail::mysql::literal(key[i]);
    auto const a = db_.ask(sql, limit());
    return a.good() && a[0].rows() > 0 ? a[0].text(0, 0) : std::string{};
  }

  static std::vector<std::string> names(mysql_upsert_into const& c) {
    return detail::upsert_names(who, c.key, c.columns, [](std::string const& what, std::string const& n) {
      detail::mysql::check_name(what, n);
    });
  }
  static std::vector<std::string> ours() {
    return {"sluice_partition", "sluice_incarnation", "sluice_offset", "sluice_version", "sluice_deleted"};
  }

  void make() {
    using detail::mysql::list;
    auto const table = detail::mysql::in_quotes(into_.table);
    if (db_.ask("select 1 from " + table + " limit 0", limit()).good()) return;
    auto const letters = std::to_string(into_.key.size() > 3 ? 760 / into_.key.size() : 255);
    auto const create =
        "create table if not exists " + table + " (" +
        list(
            into_.key, [&](std::string const& n) { return n + " varchar(" + letters + ") not null, "; }, "") +
        list(
            into_.columns, [](std::string const& n) { return n + " longtext, "; }, "") +
        "sluice_partition varchar(255) not null, sluice_incarnation bigint not null, sluice_offset bigint not null, "
        "sluice_version bigint not null, sluice_deleted integer not null, primary key (" +
        list(into_.key) + ")) engine = InnoDB " + detail::mysql::text_type;
    auto const a = db_.ask(create, limit());
    if (detail::mysql::is_missing_right(a.failed.code))
      throw error(errc::bad_configuration, db_.at() + "the user may not create the table " + into_.table +
                                               ". Have this run by one who may: " + create);
    if (!a.good()) db_.fail(a.failed, "creating the table " + into_.table);
  }

  void prepare() {
    using detail::mysql::list;
    auto all = own_;
    for (auto const& n : ours()) all.push_back(n);
    auto const table = detail::mysql::in_quotes(into_.table);
    // Assigned from the last of them to the first: what one assignment changes decides none of the others wrongly.
    std::vector<std::string> const places =
        into_.version
            ? std::vector<std::string>{"sluice_version", "sluice_partition", "sluice_incarnation", "sluice_offset"}
            : std::vector<std::string>{"sluice_incarnation", "sluice_offset"};
    auto const newer = "(" + list(places, [](std::string const& n) { return "values(" + n + ")"; }) + ") > (" +
                       list(places) + ")" + (into_.version ? "" : " and values(sluice_partition) = sluice_partition");
    auto const if_newer = [&](std::string const& n) {
      return n + " = if(" + newer + ", values(" + n + "), " + n + ")";
    };
    std::string set =
        list(into_.columns, [&](std::string const& n) { return if_newer(n) + ", "; }, "") + if_newer("sluice_deleted");
    for (auto place = places.rbegin(); place != places.rend(); ++place) set += ", " + if_newer(*place);
    if (!into_.version)  // a null is refused: the key comes from elsewhere
      set += ", sluice_partition = if(values(sluice_partition) = sluice_partition, sluice_partition, null)";
    write_ = "insert into " + table + " (" + list(all) + ") values (" +
             list(all, [](std::string const&) { return "?"; }) + ") on duplicate key update " + set;
    toggle_ = "update " + table + " set sluice_deleted = 1 - sluice_deleted where " +
              list(into_.key, [](std::string const& n) { return n + " = ?"; }, " and ");
    partition_of_ = "select sluice_partition from " + table + " where ";
    auto const lacks = [&](std::string const& why) { detail::lacks_columns(who, into_.table, why); };
    try {
      detail::mysql::check_target(db_, who, {into_.table, into_.key, into_.columns}, limit());
      prepared_.of(db_, write_, limit());
    } catch (store_error const&) { throw; } catch (error const& e) {
      lacks(e.what());
    }
    auto const nullable = db_.must(
        "select is_nullable from information_schema.columns where table_schema = database() and table_name = " +
            detail::mysql::literal(into_.table) + " and column_name = 'sluice_partition'",
        "looking at the table", limit());
    if (nullable[0].rows() != 1 || nullable[0].text(0, 0) != "NO") lacks("sluice_partition must be not null");
  }
};

/// A handler for `idempotent`:
///
///     sl::mysql_upsert out{{.user = "app", .password_variable = "DB_PASSWORD", .database = "clients",
///                           .table = "last_request", .key = {"address"}, .columns = {"line"}},
///                          [](sl::record r, auto& row) { row(r.key_text(), r.text()); }};
///     consumer.run(stop, out);
///
/// Each row keeps where its record stood (sluice_partition, sluice_incarnation, sluice_offset) and is written only if the
/// record is newer: so repeated, late and reordered batches end the same. Within a partition newer means (incarnation,
/// offset); a key that comes from two partitions is an error(bad_statement), unless `.version` tells which is newer (then
/// ties go by partition, incarnation, offset). Deleted rows stay, sluice_deleted = 1, so that nothing old can come back:
/// ask for `where sluice_deleted = 0`.
///
/// A batch is one transaction, durable when the call returns. What the mapping throws goes through, and nothing of the batch
/// is kept. A server that fails throws store_error: never the record's fault. One thread.
template <class Map>
class mysql_upsert {
  std::unique_ptr<mysql_upsert_row> row_;
  Map map_;

 public:
  using idempotent_output = void;

  /// Throws error(bad_configuration), or store_error for a server that can't be had.
  mysql_upsert(mysql_upsert_into into, Map map)
      : row_(std::make_unique<mysql_upsert_row>(std::move(into))), map_(std::move(map)) {}

  void operator()(batch const& b) {
    if (b.size() == 0) return;
    row_->in_transaction([&] { detail::map_batch(b, row_->at_, map_, *row_); });
  }
};

}}  // namespace sluice::v0
