/// \file output/hbase_upsert.hpp  The newest value of each key as a row in HBase, whatever is repeated or comes late: for `idempotent`.
#pragma once
#include <sluice/detail/late.hpp>
#include <sluice/detail/letter_json.hpp>
#include <sluice/offset_store/hbase_table.hpp>
#include <sluice/output/upsert_records.hpp>

#include <functional>
#include <map>

namespace sluice { inline namespace v0 {

struct hbase_upsert_into {
  std::string address{};  ///< as hbase_offsets.address, and .user to .ca_file
  std::string table{};
  std::string family = "current";                 ///< holds the columns, and `sluice` beside them
  std::vector<std::string> columns{};             ///< qualifiers
  std::function<std::int64_t(record)> version{};  ///< which of two is newer, for keys that come from several partitions
  bool create = true;                             ///< make the table where it isn't
  std::string user{};
  std::string password{};
  std::string password_file{};
  std::string password_variable{};
  std::string ca_file{};
  std::chrono::milliseconds timeout{10'000};        ///< of one request
  std::chrono::milliseconds batch_timeout{60'000};  ///< of a batch
};

namespace detail::hbase {
using detail::upsert_place;
}

/// What the mapping writes a record's row with: `row(key, columns…)`, the values in their order: text, bytes, numbers, bool,
/// std::optional of these, nullptr. The key is UTF-8, 1 to 32,767 bytes. HBase has no null: such a column is an empty cell, and
/// so are those of a tombstone, whose row is kept, marked deleted. For one record the first row of a key counts. A mapping
/// may write no row, or several.
template <class Late>
class basic_hbase_upsert_row {
  template <class, class>
  friend class detail::collected_upsert;
  static constexpr auto who = "hbase_upsert";
  using place = detail::hbase::upsert_place;

  struct version_of_row {
    place where{};
    std::vector<std::string> values{};
  };
  using rows = detail::late<std::map<std::string, std::vector<version_of_row>>, Late>;

  hbase_upsert_into into_;
  detail::hbase::table table_;
  rows rows_{};
  detail::mapped_record at_{};

 public:
  explicit basic_hbase_upsert_row(hbase_upsert_into c) : into_(checked(std::move(c))), table_(settings_of(into_)) {
    table_.open(std::chrono::steady_clock::now() + into_.batch_timeout);
  }

  template <class Key, class... A>
  void operator()(Key const& key, A const&... columns) {
    if (sizeof...(A) != into_.columns.size())
      throw error(errc::bad_statement, std::string(who) + ": the row has " + std::to_string(1 + into_.columns.size()) +
                                           " values, the key and .columns, and was given " +
                                           std::to_string(1 + sizeof...(A)));
    bool const deleted = at_.now.is_tombstone();
    auto& row = add(detail::upsert_text(key), deleted);
    (row.values.push_back(deleted ? std::string{} : detail::upsert_text(columns).value_or("")), ...);
  }
  /// Marks the key as deleted, for records that say so in another way than by being a tombstone.
  template <class Key>
  void remove(Key const& key) {
    add(detail::upsert_text(key), true).values.resize(into_.columns.size());
  }

 private:
  version_of_row& add(std::optional<std::string> const& key, bool deleted) {
    auto left = key ? std::string_view{*key} : std::string_view{};
    while (auto const n = detail::utf8_length(left)) left.remove_prefix(n);
    if (!key || key->empty() || key->size() > 32'767 || !left.empty())
      throw error(errc::bad_statement, std::string(who) + ": a row's key must be UTF-8 of 1 to 32767 bytes");
    auto& all = rows_[*key];
    all.push_back({.where = {.version = into_.version ? into_.version(at_.now) : 0,
                             .incarnation = at_.now.incarnation(),
                             .offset = at_.now.offset().value(),
                             .deleted = deleted,
                             .partition = at_.partition}});
    return all.back();
  }
  void clear() { rows_.clear(); }

  std::string column(std::string const& qualifier) const { return into_.family + ":" + qualifier; }

  /// What of `all` is newer than what is there; null where nothing is. Throws where that can't be told.
  version_of_row const* newest(std::string const& key, std::vector<version_of_row> const& all,
                               std::string const& before) const {
    std::optional<place> is;
    if (!before.empty()) {
      is = place::of(before);
      if (!is)
        throw error(errc::bad_statement, std::string(who) + ": the row of a key of " + std::to_string(key.size()) +
                                             " bytes has a cell " + column("sluice") +
                                             " that is not this output's: choose another .family");
    }
    version_of_row const* found = nullptr;
    for (auto const& one : all) {
      if (is && !into_.version && is->partition != one.where.partition)
        detail::of_two_partitions(who, std::to_string(key.size()), one.where.partition, is->partition);
      if (is && !one.where.newer_than(*is)) continue;
      is = one.where;
      found = &one;
    }
    return found;
  }

  void write() {
    if (rows_.empty()) return;
    auto const by = std::chrono::steady_clock::now() + into_.batch_timeout;
    std::vector<std::string> keys;
    for (auto const& [key, _] : rows_) keys.push_back(key);
    auto seen = read(keys, by);
    for (auto const& [key, all] : rows_)
      newest(key, all, seen[key]);  // all that can be refused is, before anything is written
    for (auto const& [key, all] : rows_) {
      for (int tries = 0;; ++tries) {
        auto const* const now = newest(key, all, seen[key]);
        if (!now) break;
        detail::hbase::row changed{.key = key};
        for (std::size_t i = 0; i < into_.columns.size(); ++i)
          changed.cells.push_back({column(into_.columns[i]), now->values[i]});
        changed.cells.push_back({column("sluice"), now->where.text()});
        auto const a = table_.check_put(std::move(changed), column("sluice"), seen[key], by);
        if (a.status == 200) break;
        if (a.status != 304) table_.refuse(a);
        if (tries == 100)
          throw store_error(errc::store_unavailable,
                            std::string(who) +
                                ": a row changes all the time, or can't be seen: is somebody else "
                                "writing to it, or a region server away?");
        seen[key] = read({key}, by)[key];
      }
    }
  }
  detail::late<std::map<std::string, std::string>, Late> read(std::vector<std::string> const& keys, time_point by) {
    detail::late<std::map<std::string, std::string>, Late> seen;
    for (auto& r : table_.get(keys, column("sluice"), by))
      for (auto& c : r.cells) seen[r.key] = std::move(c.value);
    return seen;
  }

  static hbase_upsert_into checked(hbase_upsert_into c) {
    auto const name = [](std::string const& what, std::string const& n) {
      if (n.empty() || n.size() > 200 || !detail::is_made_of(n, std::string{detail::capitals} + "_-."))
        throw error(errc::bad_configuration, what + ", must be 1 to 200 letters, digits and any of _ - .");
    };
    detail::upsert_names(who, {"the-key"}, c.columns, name);
    if (std::find(c.columns.begin(), c.columns.end(), "sluice") != c.columns.end())
      throw error(errc::bad_configuration, std::string(who) + ".columns: sluice is the library's own");
    return c;
  }
  static detail::hbase::settings settings_of(hbase_upsert_into const& c) {
    return {.who = who,
            .address = c.address,
            .table = c.table,
            .family = c.family,
            .history_family = {},
            .keeps_history = false,
            .create = c.create,
            .user = c.user,
            .password = {c.password, c.password_file, c.password_variable},
            .ca_file = c.ca_file,
            .timeout = c.timeout};
  }
};
using hbase_upsert_row = basic_hbase_upsert_row<void>;

/// A handler for `idempotent`, by HBase's REST interface:
///
///     sl::hbase_upsert out{{.address = "http://rest:8080", .table = "clients", .columns = {"line"}},
///                          [](sl::record r, auto& row) { row(r.key_text(), r.text()); }};
///     consumer.run(stop, out);
///
/// Each row's cell FAMILY:sluice keeps where its record stood (version, incarnation, offset, deleted, partition), and a row is
/// written under a check that it has not changed, and only if the record is newer: so repeated, late and reordered batches end
/// the same. Within a partition newer means (incarnation, offset); a key that comes from two partitions is an
/// error(bad_statement), unless `.version` tells which is newer (then ties go by partition, incarnation, offset). Deleted rows
/// stay, so that nothing old can come back.
///
/// A row is written as a whole, in one request; the rows of a batch one after the other, so a batch that fails may be there in
/// part, until it is handled again. What the mapping throws goes through, and nothing of the batch is written. A server that
/// fails throws store_error: never the record's fault. One thread.
template <class Map>
class hbase_upsert : public detail::collected_upsert<hbase_upsert_row, Map> {
 public:
  /// Throws error(bad_configuration), or store_error for a server or table that can't be had.
  hbase_upsert(hbase_upsert_into into, Map map)
      : detail::collected_upsert<hbase_upsert_row, Map>(std::move(into), std::move(map)) {}
};

}}  // namespace sluice::v0
