/// \file offset_store/mysql_errors.hpp  What MariaDB's errors mean to a store: which are the statement's, which the server's, which say that another was in the way.
#pragma once
#include <sluice/offset_store/sql_sessions.hpp>

#include <algorithm>
#include <initializer_list>
#include <string>

namespace sluice { inline namespace v0 { namespace detail::mysql {

/// What the server says of a statement that it refuses. The message may cite values.
struct refusal {
  unsigned code = 0;
  std::string message{};
  std::string state{};  // SQLSTATE
};

inline bool is_one_of(unsigned code, std::initializer_list<unsigned> all) {
  return std::find(all.begin(), all.end(), code) != all.end();
}

/// A deadlock that was ended, or a row that another has changed since this transaction's beginning, which undo all of it;
/// or a table that was altered since.
inline bool is_conflict(unsigned code) { return is_one_of(code, {159, 1020, 1213, 1412, 1615}); }
/// The row's or the table's lock was waited for in vain.
inline bool is_locked(unsigned code) { return is_one_of(code, {1205, 1206}); }
/// The session is over: an error of the client library's own, or of a server that goes.
inline bool ends_session(unsigned code) {
  return (code >= 2000 && code < 3000) || is_one_of(code, {1053, 1152, 1153, 1158, 1159, 1160, 1161, 1184, 1927});
}
inline bool is_read_only(unsigned code) { return is_one_of(code, {1036, 1290, 1792, 1836, 1874}); }
inline bool is_missing_right(unsigned code) { return is_one_of(code, {1044, 1142, 1143, 1227, 1370}); }
inline bool is_full(unsigned code) { return is_one_of(code, {1021, 1114}); }
inline bool is_damage(unsigned code) { return is_one_of(code, {1030, 1033, 1034, 1035, 1194, 1195, 1877, 1932}); }
inline bool is_time_up(unsigned code) { return is_one_of(code, {1317, 1969}); }

/// Whether it is the server or the session that failed, not the statement or its values. What is not known to be theirs is
/// the server's: a record that was set aside for that would be lost for nothing.
inline bool is_of_the_store(refusal const& r) {
  if (is_one_of(r.code, {1040, 1203, 1226, 1461}))
    return true;  // a limit of the server's, under the state of a bad statement
  // A column without a default, wrong values, collations that can't be mixed, text that is none, a result that is too long, a row
  // of no partition or of another one, and what JSON functions say.
  if (is_one_of(r.code, {1267, 1270, 1271, 1300, 1301, 1364, 1366, 1411, 1526, 1591, 1748}) ||
      (r.code >= 4036 && r.code <= 4044))
    return false;
  // Warnings that strictness makes errors, no data, cardinality, data, integrity, case, syntax, check option, signals.
  constexpr std::string_view classes = "01 02 20 21 22 23 42 44 45";
  return r.state.size() < 2 || classes.find(r.state.substr(0, 2)) == classes.npos;
}

/// What is said of a statement of the library's own: `what` names the server and what was being done.
[[noreturn]] inline void fail(refusal const& r, std::string const& what) {
  auto const number = " (error " + std::to_string(r.code) + ")";
  auto const c = r.code;
  if (is_conflict(c)) throw store_conflict(errc::conflict, what + "another transaction was in the way" + number);
  if (is_locked(c)) throw locked(errc::store_unavailable, what + "another session holds the lock" + number);
  if (is_read_only(c))
    throw store_error(errc::store_unavailable,
                      what + "the server is read-only: connect to the primary, or set read_only = 0 there" + number);
  if (is_missing_right(c))
    throw store_error(errc::store_unavailable, what + "the user may not: " + r.message +
                                                   "; grant it select, insert, update on the library's tables");
  if (is_full(c)) throw store_error(errc::store_full, what + "the server's disk, or the table, is full" + number);
  if (is_damage(c)) throw store_error(errc::store_damaged, what + "the server finds its data damaged" + number);
  if (is_time_up(c))
    throw store_error(errc::store_unavailable, what + "took longer than statement_timeout, or was cancelled");
  if (c == 1665)
    throw store_error(errc::store_unavailable, what + "binlog_format is STATEMENT: set it to MIXED or ROW");
  if (is_one_of(c, {1054, 1109, 1136, 1146, 1364}))
    throw store_error(errc::store_damaged,
                      what + "a table of this name is not one that the library made: " + r.message);
  throw store_error(errc::store_unavailable, what + "the server refused" + number);
}

/// The part of a server's message that names tables, columns and constraints; values that it cites are left out. Empty
/// where nothing is certain to be free of them. `holds_text`: the statement itself has texts in it.
inline std::string safe_message(refusal const& r, bool holds_text) {
  if (is_one_of(r.code, {1048, 1136, 1142, 1143, 1264, 1265, 1364, 1406, 1451, 1452, 4025})) return r.message;
  auto const from_last = [&](char const* part) {
    auto const at = r.message.rfind(part);
    return at == std::string::npos ? std::string{} : r.message.substr(at + 1);
  };
  if (r.code == 1062) return "duplicate entry " + from_last(" for key ");
  if (r.code == 1366) return "incorrect value " + from_last(" for column ");
  if (!holds_text && is_one_of(r.code, {1046, 1054, 1064, 1146, 1305})) return r.message;
  return r.code == 1146 || r.code == 1054 ? r.message : std::string{};
}

}}}  // namespace sluice::v0::detail::mysql
