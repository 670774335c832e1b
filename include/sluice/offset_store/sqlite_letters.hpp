/// \file offset_store/sqlite_letters.hpp  The tables of records that were set aside, and the ones that wait for their advance.
#pragma once
#include <sluice/detail/kept_letters.hpp>
#include <sluice/offset_store/sqlite_positions.hpp>

#include <map>
#include <memory>
#include <vector>

namespace sluice { inline namespace v0 { namespace detail::sqlite {

class letters {
  std::map<std::string, std::unique_ptr<statement>, std::less<>> tables_{};
  kept_letters waiting_{};

 public:
  /// Creates the table where it is absent, and adds the column for headers to one of an earlier version. Throws
  /// error(bad_configuration) for a table of another shape.
  void prepare(connection& db, std::string const& t) {
    if (tables_.contains(t)) return;
    if (!db.has_table(t))
      in_transaction(db, [&] {
        db.run("create table if not exists \"" + t +
               "\" (grp text not null, topic text not null, partition integer not null, \"offset\" integer not null, "
               "incarnation integer not null, timestamp integer not null, \"key\" blob, value blob, headers text, "
               "error text not null, "
               "attempts integer not null, \"first\" integer not null, "
               "primary key (grp, topic, partition, incarnation, \"offset\")) strict");
      });
    else if (lacks_headers(db, t))
      in_transaction(db, [&] {
        if (lacks_headers(db, t)) db.run("alter table \"" + t + "\" add column headers text");
      });
    tables_[t] = make(db, t);
  }
  /// Finalises the statements; the waiting letters stay.
  void close() {
    for (auto& [_, insert] : tables_) insert.reset();
  }
  void reopen(connection& db) {
    for (auto& [table, insert] : tables_) insert = make(db, table);
  }

  /// Into the transaction that is open.
  void write(std::string const& group, std::string const& table, dead_letter const& l) {
    auto const r = l.what;
    insert(table).run(group, r.topic(), r.partition(), r.offset(), r.incarnation(), r.timestamp(),
                      blob(r.has_key(), r.key_text()), blob(!r.is_tombstone(), r.text()), headers_column(r), l.error,
                      l.attempts, l.first);
  }
  /// For the next advance of its partition.
  void keep(std::string const& table, dead_letter const& l) {
    known(table);
    waiting_.keep(table, l);
  }
  void write_waiting(std::string const& group, topic_partition const& of) {
    waiting_.each_of(of, [&](kept_letter const& k) {
      insert(k.table).run(group, k.of.topic, k.of.partition, k.at, k.incarnation, k.timestamp, blob(k.key),
                          blob(k.value), k.headers, k.error, k.attempts, k.first);
    });
  }
  bool empty() const { return waiting_.empty(); }
  void forget(topic_partition const& of) { waiting_.forget(of); }

 private:
  template <class Change>
  static void in_transaction(connection& db, Change change) {
    db.begin(time_point::max());
    try {
      change();
      db.commit();
    } catch (...) {
      db.rollback();
      throw;
    }
  }
  /// Of tables that an earlier version made, as far as can be seen.
  static bool lacks_headers(connection& db, std::string const& t) {
    auto const has = [&](char const* column) {
      return db.text("select 1 from pragma_table_info('" + t + "') where name = '" + column + "'") == "1";
    };
    return has("grp") && has("attempts") && has("first") && !has("headers");
  }
  static bytes blob(bool there, std::string_view text) {
    static constexpr std::byte none{};
    if (!there) return {};
    return text.empty() ? bytes{&none, 0} : as_bytes(text);
  }
  static bytes blob(std::optional<std::string> const& text) {
    return blob(text.has_value(), text ? *text : std::string_view{});
  }

  static std::unique_ptr<statement> make(connection& db, std::string const& t) try {
    return std::make_unique<statement>(
        db,
        "insert into \"" + t +
            "\" (grp, topic, partition, \"offset\", incarnation, timestamp, \"key\", value, headers, error, attempts,"
            " \"first\") values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) on conflict (grp, topic, partition, incarnation, "
            "\"offset\")"
            " do update set error = excluded.error, attempts = excluded.attempts",
        "setting a record aside");
  } catch (store_error const& e) {
    if (e.code() != errc::store_damaged) throw;
    throw error(errc::bad_configuration, "the table " + t +
                                             " is there and is not one that the library made for dead"
                                             " letters: choose another name");
  }
  std::unique_ptr<statement>& known(std::string_view table) {
    auto const at = tables_.find(table);
    if (at != tables_.end()) return at->second;
    throw error(errc::bad_configuration, "a record is to be set aside in a table that was not prepared");
  }
  statement& insert(std::string_view table) { return *known(table); }
};

}}}  // namespace sluice::v0::detail::sqlite
