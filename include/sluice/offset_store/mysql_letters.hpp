/// \file offset_store/mysql_letters.hpp  Records set aside, as rows of a table in MariaDB.
#pragma once
#include <sluice/detail/kept_letters.hpp>
#include <sluice/offset_store/mysql_statement.hpp>
#include <sluice/offset_store/mysql_tables.hpp>

namespace sluice { inline namespace v0 { namespace detail::mysql {

class letters : public table_letters {
  statements prepared_{};

 public:
  /// Into the transaction that is open.
  void write(connection& db, tables const& t, std::string const& group, kept_letter const& k, time_point by) {
    must_be_known(k.table);
    auto const error = as_utf8(k.error);
    parameters with{group,       k.of.topic,    k.of.partition, k.at,  k.incarnation, k.timestamp,
                    blob(k.key), blob(k.value), k.headers,      error, k.attempts,    k.first};
    auto const sql =
        "insert into " + t.named(k.table) +
        " (grp, topic, `partition`, `offset`, incarnation, `timestamp`, `key`, `value`, headers, error,"
        " attempts, `first`) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) on duplicate key update error = values(error),"
        " attempts = values(attempts)";
    try {
      prepared_.of(db, sql, by).run(db, with, by);
    } catch (store_error const&) { throw; } catch (sluice::error const& e) {  // the statement is the library's own
      throw store_error(errc::store_unavailable, db.at() + "setting a record aside: " + e.what());
    }
  }
  void write_waiting(connection& db, tables const& t, std::string const& group, topic_partition const& of,
                     time_point by) {
    each_of(of, [&](kept_letter const& k) { write(db, t, group, k, by); });
  }

 private:
  static std::optional<bytes> blob(std::optional<std::string> const& text) {
    static constexpr std::byte none{};
    if (!text) return std::nullopt;
    return text->empty() ? bytes{&none, 0} : as_bytes(*text);
  }
};

}}}  // namespace sluice::v0::detail::mysql
