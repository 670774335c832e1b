/// \file output/postgres_upsert.hpp  The newest value of each key in a PostgreSQL table, whatever is repeated or comes late: for `idempotent`.
#pragma once
#include <sluice/offset_store/postgres_columns.hpp>
#include <sluice/output/upsert_records.hpp>

#include <functional>

namespace sluice { inline namespace v0 {

struct postgres_upsert_into {
  std::string connection{};  ///< as postgres_offsets.connection, and what is said there of passwords
  std::string table{};  ///< created where it isn't there, all columns text; made by the user it may have other types
  std::vector<std::string> key{};                 ///< columns
  std::vector<std::string> columns{};             ///< the others
  std::function<std::int64_t(record)> version{};  ///< which of two is newer, for keys that come from several partitions
  bool assume_durable = false;                    ///< take a server with fsync or full_page_writes off
  std::chrono::milliseconds connect_timeout{5000};
  std::chrono::milliseconds statement_timeout{30'000};
  std::chrono::milliseconds lock_timeout{5000};
};

/// What the mapping writes a record's row with: `row(key…, columns…)`, the values in their order, of the types that
/// postgres_transaction::execute takes. A tombstone's row is kept, marked deleted, its other columns null.
/// For one record the first row of a key counts. A mapping may write no row, or several.
class postgres_upsert_row {
  template <class, class>
  friend class detail::collected_upsert;
  using array = detail::postgres::array;
  using request = detail::postgres::request;
  static constexpr auto who = "postgres_upsert";

  postgres_upsert_into into_;
  detail::postgres::connection db_;
  std::string write_{}, check_{};
  std::vector<array> arrays_{};
  std::size_t rows_ = 0;
  detail::mapped_record at_{};

 public:
  explicit postgres_upsert_row(postgres_upsert_into c)
      : into_(checked(std::move(c))),
        db_({who, into_.connection, into_.assume_durable, into_.connect_timeout, into_.statement_timeout,
             into_.lock_timeout, into_.statement_timeout}) {
    auto const by = limit();
    db_.ready(by);
    make(by);
    prepare(by);
    clear();
  }

  template <class... A>
  void operator()(A const&... values) {
    detail::postgres::check_size(who, into_.key.size() + into_.columns.size(), sizeof...(A));
    add(at_.now.is_tombstone(), values...);
  }
  /// Marks the key as deleted, for records that say so in another way than by being a tombstone.
  template <class... K>
  void remove(K const&... key) {
    detail::postgres::check_size(who, into_.key.size(), sizeof...(K));
    add(true, key...);
  }

 private:
  time_point limit() const { return db_.own_limit(); }
  void clear() {
    arrays_.assign(into_.key.size() + into_.columns.size() + 5, {});
    rows_ = 0;
  }

  template <class... A>
  void add(bool deleted, A const&... values) {
    std::size_t i = 0;
    [[maybe_unused]] auto const one = [&](auto const& v) {
      if (i < into_.key.size() || !deleted) arrays_[i++].add(v);
    };
    (one(values), ...);
    for (auto const own = into_.key.size() + into_.columns.size(); i < own; ++i) arrays_[i].add(nullptr);
    arrays_[i++].add(at_.partition);
    arrays_[i++].add(at_.now.incarnation());
    arrays_[i++].add(at_.now.offset());
    arrays_[i++].add(into_.version ? into_.version(at_.now) : 0);
    arrays_[i++].add(deleted ? 1 : 0);
    ++rows_;
  }

  /// One transaction; durable when it returns.
  void write() {
    if (rows_ == 0) return;
    detail::postgres::parameters p;
    for (auto const& a : arrays_) p.add(a.text());
    auto const by = limit();
    db_.ready(by);
    std::vector<request> ask{{"begin isolation level read committed"}, {write_, p}};
    if (!into_.version) ask.push_back({check_, p});
    auto const answers = db_.ask(ask, by);
    for (auto const& a : answers)
      if (!a.good()) {
        db_.rollback();
        detail::postgres::refused_to_run(db_, a, write_);
      }
    if (!into_.version && answers[2].rows() > 0) {
      auto const& a = answers[2];
      db_.rollback();
      detail::of_two_partitions(who, std::string(a.text(0, 2)), std::string(a.text(0, 0)), std::string(a.text(0, 1)));
    }
    db_.must_one({"commit"}, "writing", by);
  }

  static postgres_upsert_into checked(postgres_upsert_into c) {
    detail::postgres::check_name(std::string(who) + ".table", c.table, 63);
    own(c);
    return c;
  }
  static std::vector<std::string> own(postgres_upsert_into const& c) {
    return detail::upsert_names(who, c.key, c.columns, [](std::string const& what, std::string const& n) {
      detail::postgres::check_name(what, n, 63);
    });
  }
  static std::vector<std::string> ours() {
    return {"sluice_partition", "sluice_incarnation", "sluice_offset", "sluice_version", "sluice_deleted"};
  }

  void make(time_point by) {
    using detail::postgres::list;
    std::string const lock = "select pg_advisory_xact_lock(727375696, hashtext($1))";
    auto const create =
        "create table if not exists " + detail::postgres::in_quotes(into_.table) + " (" +
        list(
            into_.key, [](std::string const& n) { return n + " text not null, "; }, "") +
        list(
            into_.columns, [](std::string const& n) { return n + " text, "; }, "") +
        "sluice_partition text not null, sluice_incarnation bigint not null, sluice_offset bigint not null, "
        "sluice_version bigint not null, sluice_deleted integer not null, primary key (" +
        list(into_.key) + "))";
    auto const there = db_.must_one(
        {"select to_regclass($1)", detail::postgres::parameters::of(detail::postgres::in_quotes(into_.table))},
        "looking for tables", by);
    if (!there.null(0, 0)) return;
    for (auto const& r : db_.ask(
             std::vector<request>{
                 {"begin"}, {lock, detail::postgres::parameters::of(into_.table)}, {create}, {"commit"}},
             by))
      if (r.state() == "42501")
        throw error(errc::bad_configuration, db_.at() + "the role may not create the table " + into_.table +
                                                 ". Have this run by one that may: " + create);
      else if (!r.good())
        db_.fail(r, "creating the table " + into_.table);
  }

  void prepare(time_point by) {
    using detail::postgres::list;
    auto all = own(into_);
    for (auto const& n : ours()) all.push_back(n);
    auto const table = detail::postgres::in_quotes(into_.table);
    auto const key = list(into_.key);
    std::string const place = "(sluice_version, sluice_partition, sluice_incarnation, sluice_offset)";
    auto const lacks = [&](std::string const& why) { detail::lacks_columns(who, into_.table, why); };
    std::string rows;
    try {
      rows = detail::postgres::rows_of_arrays(db_, who, into_.table, all, by);
    } catch (error const& e) {
      if (e.code() != errc::bad_statement) throw;
      lacks(e.what());
    }
    auto const of = [](char const* alias, std::string const& columns) {
      std::string text;
      for (auto const c : columns) {
        text += c;
        if (c == '(' || c == ' ') text.append(alias).append(".");
      }
      return text;
    };
    write_ = "insert into " + table + " as t (" + list(all) + ") select " + list(all) + " from (select distinct on (" +
             key + ") * from " + rows + " as v order by " + key +
             ", sluice_version desc, sluice_partition desc, sluice_incarnation desc, sluice_offset desc, sluice_i) as w"
             " on conflict (" +
             key + ") do update set " +
             list(
                 into_.columns, [](std::string const& n) { return n + " = excluded." + n + ", "; }, "") +
             list(ours(), [](std::string const& n) { return n + " = excluded." + n; }) + " where " +
             (into_.version ? of("excluded", place) + " > " + of("t", place)
                            : "excluded.sluice_partition = t.sluice_partition and (excluded.sluice_incarnation,"
                              " excluded.sluice_offset) > (t.sluice_incarnation, t.sluice_offset)");
    check_ = "select v.sluice_partition, t.sluice_partition, " +
             list(
                 into_.key, [](std::string const& n) { return "octet_length(v." + n + "::text)"; }, " + ") +
             " from " + rows + " as v join " + table + " as t on " +
             list(
                 into_.key, [](std::string const& n) { return "v." + n + " = t." + n; }, " and ") +
             " where v.sluice_partition <> t.sluice_partition limit 1";
    detail::postgres::parameters none;
    for (std::size_t i = 0; i < all.size(); ++i) none.add("{}");
    auto const tried = db_.ask_one({write_, none}, by);  // writes nothing
    if (!tried.good() && tried.state().starts_with("42")) lacks(detail::postgres::connection::message_of(tried));
    if (!tried.good()) db_.fail(tried, "looking at the table " + into_.table);
  }
};

/// A handler for `idempotent`:
///
///     sl::postgres_upsert out{{.connection = "dbname=clients", .table = "last_request", .key = {"address"},
///                              .columns = {"line"}},
///                             [](sl::record r, auto& row) { row(r.key_text(), r.text()); }};
///     consumer.run(stop, out);
///
/// Each row keeps where its record stood (sluice_partition, sluice_incarnation, sluice_offset) and is written only if the
/// record is newer: so repeated, late and reordered batches end the same. Within a partition newer means (incarnation,
/// offset); a key that comes from two partitions is an error(bad_statement), unless `.version` tells which is newer (then
/// ties go by partition, incarnation, offset). Deleted rows stay, sluice_deleted = 1, so that nothing old can come back:
/// ask for `where sluice_deleted = 0`.
///
/// A batch is one statement in one transaction, durable when the call returns. What the mapping throws goes through, and
/// nothing of the batch is kept. A server that fails throws store_error: never the record's fault. One thread.
template <class Map>
class postgres_upsert : public detail::collected_upsert<postgres_upsert_row, Map> {
 public:
  /// Throws error(bad_configuration), or store_error for a server that can't be had.
  postgres_upsert(postgres_upsert_into into, Map map)
      : detail::collected_upsert<postgres_upsert_row, Map>(std::move(into), std::move(map)) {}
};

}}  // namespace sluice::v0
