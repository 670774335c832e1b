/// \file offset_store/mysql_columns.hpp  Columns of a table of the user's in MariaDB, and whether rows of many can be written there safely.
#pragma once
#include <sluice/offset_store/mysql_statement.hpp>

#include <set>

namespace sluice { inline namespace v0 {

/// Names are put into backquotes; `table` may be "database.table".
struct mysql_columns {
  std::string table{};
  std::vector<std::string> key{};      ///< upsert: the columns of the table's only primary key or unique constraint
  std::vector<std::string> columns{};  ///< the others
};

namespace detail::mysql {

inline std::string quoted_table(std::string const& table) {
  auto const dot = table.find('.');
  return dot == table.npos ? in_quotes(table)
                           : in_quotes(table.substr(0, dot)) + "." + in_quotes(table.substr(dot + 1));
}
template <class F>
std::string list(std::vector<std::string> const& names, F f, char const* between = ", ") {
  std::string text;
  for (auto const& n : names) text.append(text.empty() ? "" : between).append(f(in_quotes(n)));
  return text;
}
inline std::string list(std::vector<std::string> const& names) {
  return list(names, [](std::string const& n) { return n; });
}

inline void check_size(std::string const& who, std::size_t wanted, std::size_t given) {
  if (wanted != given)
    throw error(errc::bad_statement,
                who + ": a row takes " + std::to_string(wanted) + " values and was given " + std::to_string(given));
}

/// Throws error(bad_statement) unless the table is one of InnoDB's, and, where a key is given, the key is its only unique
/// one: MariaDB overwrites the row that any of them finds.
inline void check_target(connection& db, std::string const& who, mysql_columns const& into, time_point by) {
  auto const dot = into.table.find('.');
  auto const where =
      " where table_schema = " + literal(dot == into.table.npos ? db.database() : into.table.substr(0, dot)) +
      " and table_name = " + literal(dot == into.table.npos ? into.table : into.table.substr(dot + 1));
  auto const a =
      db.must("select engine from information_schema.tables" + where +
                  "; select index_name, column_name from information_schema.statistics" + where + " and non_unique = 0",
              "looking at a table", by);
  auto const bad = [&](std::string const& why) {
    throw error(errc::bad_statement, std::string(who).append(": the table ").append(into.table).append(why));
  };
  if (a[0].rows() == 0) bad(" is not there, or this user has no right to it");
  if (a[0].text(0, 0) != "InnoDB")
    bad(" has the engine " + a[0].text(0, 0) + ", which knows no transactions: alter table … engine = InnoDB");
  if (into.key.empty()) return;
  std::map<std::string, std::set<std::string>> unique;
  for (std::size_t i = 0; i < a[1].rows(); ++i) unique[a[1].text(i, 0)].insert(a[1].text(i, 1));
  std::set<std::string> const key(into.key.begin(), into.key.end());
  if (unique.size() != 1 || unique.begin()->second != key)
    bad(" must have one primary or unique key, of the columns in .key and no others: MariaDB would overwrite the row"
        " that any other one finds");
}

/// Rows on their way into a table, by one statement for many.
class row_writer {
  connection& db_;
  statements& prepared_;
  std::string sql_;
  std::vector<many_values> columns_;
  std::size_t bytes_ = 0;
  std::size_t waiting_ = 0;
  std::int64_t changed_ = 0;

  static constexpr std::size_t most_rows = 10'000;
  static constexpr std::size_t most_bytes = 4 << 20;

 public:
  row_writer(connection& db, statements& prepared, std::string sql, std::size_t columns)
      : db_(db), prepared_(prepared), sql_(std::move(sql)), columns_(columns) {}

  std::vector<many_values>& columns() { return columns_; }
  std::size_t waiting() const { return waiting_; }
  /// By all that was written so far.
  std::int64_t changed() const { return changed_; }

  /// Throws error(bad_statement) for a row of another size, or one that is more than the server takes.
  template <class... A>
  void add(std::string const& who, time_point by, A const&... values) {
    check_size(who, columns_.size(), sizeof...(A));
    row(who, by, [&](auto put) { (put(values), ...); });
  }
  /// The same, where `fill` calls put(value) for each column, in order.
  template <class Fill>
  void row(std::string const& who, time_point by, Fill fill) {
    std::size_t i = 0, bytes = 0;
    fill([&](auto const& v) { bytes += 16 + columns_.at(i++).add(v); });
    if (!db_.takes(bytes))
      throw error(errc::bad_statement, who + ": a row has " + std::to_string(bytes) +
                                           " bytes, and the server's max_allowed_packet is " +
                                           std::to_string(db_.most_bytes()));
    if (!db_.takes(bytes_ + bytes)) write(by);  // those before it, which it would be too much with
    bytes_ += bytes;
    ++waiting_;
    if (waiting_ >= most_rows || bytes_ >= std::min(most_bytes, db_.most_bytes() / 4)) write(by);
  }
  void write(time_point by) {
    if (waiting_ == 0) return;
    changed_ += prepared_.of(db_, sql_, by).run_for_all(db_, columns_, waiting_, by);
    for (auto& c : columns_) c.forget(waiting_);
    bytes_ = waiting_ = 0;
  }
};

}  // namespace detail::mysql
}}  // namespace sluice::v0
