/// \file offset_store/mysql_tables.hpp  The tables that mysql_offsets keeps, how they are made, and whether those found are they.
///
/// With `create = false` nothing is created; whoever may, runs what the error prints. For the table sluice_offsets:
///
///     create table sluice_offsets_meta (name varchar(255) not null primary key, value varchar(255) not null);
///     insert into sluice_offsets_meta values ('format', '1');
///     create table sluice_offsets_topics (grp varchar(255) not null, topic varchar(255) not null,
///       partitions integer not null, primary key (grp, topic));
///     create table sluice_offsets_rewinds (id bigint not null auto_increment primary key, grp varchar(255) not null,
///       topic varchar(255) not null, `partition` integer not null, cause text not null, from_offset bigint not null,
///       to_offset bigint not null, incarnation bigint not null, at_ms bigint not null,
///       key of_partition (grp, topic, `partition`));
///     create table sluice_offsets_skipped (grp varchar(255) not null, topic varchar(255) not null,
///       `partition` integer not null, `offset` bigint not null, incarnation bigint not null, `timestamp` bigint not null,
///       `key` longblob, `value` longblob, headers longtext, error longtext not null, attempts integer not null,
///       `first` bigint not null,
///       primary key (grp, topic, `partition`, incarnation, `offset`));
///     create table sluice_offsets (grp varchar(255) not null, topic varchar(255) not null, `partition` integer not null,
///       next bigint not null, incarnation bigint not null, fence_turn bigint not null, fence_nonce bigint,
///       leader_epoch integer not null default -1, last_offset bigint, last_hash bigint,
///       primary key (grp, topic, `partition`));
///
/// each with engine = InnoDB character set utf8mb4 collate utf8mb4_nopad_bin. DDL is no transaction in MariaDB, so the
/// order matters: where the last one is, all are; where some are, the rest is made.
#pragma once
#include <sluice/offset_store/mysql_connection.hpp>

#include <set>

namespace sluice { inline namespace v0 { namespace detail::mysql {

inline constexpr std::int64_t format = 1;
inline constexpr std::size_t longest_identifier = 64;

inline void check_name(std::string const& key, std::string_view name, std::size_t most = longest_identifier) {
  if (!is_sql_name(name, most))
    throw error(errc::bad_configuration, key + " (" + std::to_string(name.size()) +
                                             " bytes) can't be used in SQL: give 1 to " + std::to_string(most) +
                                             " letters, digits and underscores, no digit first");
}

/// The table that the others beside it are named after.
inline void check_table(std::string const& key, std::string_view name) {
  check_name(key, name, longest_identifier - std::string_view{"_skipped"}.size());
}

/// Where the tables are: every statement names the database.
class tables {
  connection& db_;
  std::string name_;
  bool create_;
  std::string in_{};

  using columns = std::vector<std::pair<char const*, char const*>>;  // names and types

 public:
  tables(connection& db, std::string name, bool create) : db_(db), name_(std::move(name)), create_(create) {}

  std::string with(std::string_view suffix) const { return named(name_ + std::string(suffix)); }
  std::string named(std::string_view table) const { return in_quotes(in_) + "." + in_quotes(table); }
  std::string skipped() const { return name_ + "_skipped"; }

  /// Sees to it that they are there, in a format that is known. Throws error(bad_configuration), store_error.
  void prepare(time_point by) {
    in_ = db_.database();
    // The first of these before the second: who makes both now makes the second one first.
    bool const positions = is_there(name_, by), meta = is_there(name_ + "_meta", by);
    if (positions && !meta) another_shape(name_, "is there and is not one that the library made");
    if (!positions) make(name_, creation(), by);
    check_format(by);
    check_shape(name_, positions_columns(), by);
    check_shape(name_ + "_topics", topics_columns(), by);
    check_shape(name_ + "_rewinds", rewinds_columns(), by);
    prepare_letters(skipped(), by);
  }

  /// Whether they are there, in a format that is known; makes nothing, and asks for no right but to read. Throws as
  /// prepare() does.
  bool look(time_point by) {
    in_ = db_.database();
    if (!is_there(name_, by)) return false;  // the last to be made
    if (!is_there(name_ + "_meta", by)) another_shape(name_, "is there and is not one that the library made");
    check_format(by);
    return true;
  }

  /// The table for state, where a handler keeps some.
  void prepare_state(time_point by) {
    auto const name = name_ + "_state";
    if (!is_there(name, by))
      make(
          name,
          {table(name,
                 "grp varchar(255) not null, name varchar(63) not null, topic "
                 "varchar(255) not null, `partition` integer not null, `key` varbinary(700) not null, `value` longblob "
                 "not null, due bigint, primary key (grp, name, topic, `partition`, `key`), key due (grp, name, topic, "
                 "`partition`, due)")},
          by);
    check_shape(name,
                {{"grp", "varchar"},
                 {"name", "varchar"},
                 {"topic", "varchar"},
                 {"partition", "int"},
                 {"key", "varbinary"},
                 {"value", "longblob"},
                 {"due", "bigint"}},
                by);
  }

  /// A table of records that were set aside, in the database of the others.
  void prepare_letters(std::string const& table, time_point by) {
    if (!is_there(table, by))
      make(table, {letters(table)}, by);
    else
      add_headers(table, by);
    check_shape(table, letters_columns(), by);
  }

 private:
  [[noreturn]] void another_shape(std::string const& table, std::string const& what) const {
    throw error(errc::bad_configuration, db_.at() + "the table " + table + " " + what + ": choose another name");
  }
  bool is_there(std::string const& table, time_point by) {
    auto const a = db_.ask("select 1 from " + named(table) + " limit 0", by);
    if (a.failed.code == 1146) return false;
    if (!a.good() && !is_missing_right(a.failed.code)) db_.fail(a.failed, "looking for the table " + table);
    return a.good() || !is_unknown(table, by);
  }
  /// Whether the server says so to one who may not read the table either.
  bool is_unknown(std::string const& table, time_point by) {
    auto const a = db_.must(
        "select 1 from information_schema.tables where table_schema = database() and table_name = " + literal(table),
        "looking for tables", by);
    return a[0].rows() == 0;
  }

  void make(std::string const& table, std::vector<std::string> const& ddl, time_point by) {
    std::string all;
    for (auto const& d : ddl) all.append(d).append("; ");
    if (!create_)
      throw error(errc::bad_configuration,
                  db_.at() + "the table " + table +
                      " is not there, and .create is false. Have this run by a user who may: " + all);
    auto const a = db_.ask(all, by);
    if (a.good()) return;
    if (is_missing_right(a.failed.code))
      throw error(
          errc::bad_configuration,
          db_.at()
              .append("the user may not create the table ")
              .append(table + " (" + a.failed.message)
              .append("). Have one who may run this, and grant the user select, insert, update on what it makes: ")
              .append(all));
    db_.fail(a.failed, "creating tables");
  }

  /// Tables of an earlier version lack the column.
  void add_headers(std::string const& table, time_point by) {
    auto const has = db_.must(
        "select coalesce(sum(column_name in ('grp', 'attempts', 'first')), 0), coalesce(sum(column_name = 'headers'), "
        "0)"
        " from information_schema.columns where table_schema = " +
            literal(in_) + " and table_name = " + literal(table),
        "looking at tables", by);
    if (has[0].number(0, 0) != 3 || has[0].number(0, 1) != 0) return;
    auto const ddl = "alter table " + named(table) + " add column if not exists headers longtext";
    auto const lacks = [&](std::string const& why) {
      throw error(errc::bad_configuration, db_.at()
                                               .append("the table ")
                                               .append(table + " is of an earlier version and lacks the column headers")
                                               .append(why + ". Have one who may run this: ")
                                               .append(ddl));
    };
    if (!create_) lacks(", and .create is false");
    auto const a = db_.ask(ddl, by);
    if (is_missing_right(a.failed.code)) lacks(" (" + a.failed.message + ")");
    if (!a.good()) db_.fail(a.failed, "adding a column to the table " + table);
  }

  void check_format(time_point by) {
    auto const a = db_.must("select value from " + with("_meta") + " where name = 'format'", "reading the format", by);
    auto const found = a[0].rows() == 1 ? a[0].text(0, 0) : std::string{};
    if (found == std::to_string(format)) return;
    if (std::atoll(found.c_str()) > format)
      throw store_error(errc::store_newer, db_.at() + "the table " + name_ + " was written in format " + found +
                                               ", this version knows up to " + std::to_string(format) +
                                               ": use the version of the library that wrote it");
    throw store_error(errc::store_damaged, db_.at() + "table " + name_ + "_meta names no known format");
  }

  void check_shape(std::string const& table, columns const& wanted, time_point by) {
    std::string names;
    for (auto const& [name, type] : wanted) names.append(names.empty() ? "" : ", ").append(in_quotes(name));
    auto const lacks = [&](char const* what) {
      throw error(errc::bad_configuration, db_.at() + "the user lacks the right to " + what +
                                               ": have one who may run: grant select, insert,"
                                               " update on " +
                                               named(table) + " to it");
    };
    // Each changes nothing, and needs its right.
    auto const where = named(table), last = in_quotes(wanted.back().first);
    auto const select = std::string("select ").append(names).append(" from ").append(where).append(" limit 0");
    auto const insert =
        std::string("insert into ").append(where).append(" (").append(names).append(") ").append(select);
    auto const update = std::string("update ").append(where).append(" set ").append(last).append(" = ").append(last);
    for (auto const& [what, sql] :
         {std::pair{"select", select}, std::pair{"insert", insert}, std::pair{"update", update + " where 0"}}) {
      auto const a = db_.ask(sql, by);
      if (is_missing_right(a.failed.code)) lacks(what);
      if (a.failed.code == 1054 || a.failed.code == 1136)
        another_shape(table, "is there and is not one that the library made (" + a.failed.message + ")");
      if (!a.good()) db_.fail(a.failed, "looking at the table " + table);
    }
    auto const found = db_.must(
        "select c.column_name, c.data_type, c.collation_name, t.engine from information_schema.columns c join"
        " information_schema.tables t using (table_schema, table_name) where c.table_schema = " +
            literal(in_) + " and c.table_name = " + literal(table),
        "looking at tables", by);
    auto const& a = found[0];
    for (std::size_t i = 0; i < a.rows(); ++i) {
      if (a.text(i, 3) != "InnoDB")
        another_shape(table, "has the engine " + a.text(i, 3) +
                                 ", which knows no transactions (alter table … engine = InnoDB), or");
      for (auto const& [name, type] : wanted) {
        if (a.text(i, 0) != name) continue;
        if (a.text(i, 1) != type) another_shape(table, std::string("has another type in the column ") + name);
        if (std::string_view{type} == "varchar" && a.text(i, 2) != "utf8mb4_nopad_bin")
          another_shape(table, std::string("has the collation ") + a.text(i, 2) + " in the column " + name +
                                   ", which takes different names for one; it must be utf8mb4_nopad_bin;");
      }
    }
  }

  static columns of_partition(columns more) {
    columns all{{"grp", "varchar"}, {"topic", "varchar"}, {"partition", "int"}};
    all.insert(all.end(), more.begin(), more.end());
    return all;
  }
  static columns positions_columns() {
    return of_partition({{"next", "bigint"},
                         {"incarnation", "bigint"},
                         {"fence_turn", "bigint"},
                         {"fence_nonce", "bigint"},
                         {"leader_epoch", "int"},
                         {"last_offset", "bigint"},
                         {"last_hash", "bigint"}});
  }
  static columns topics_columns() { return {{"grp", "varchar"}, {"topic", "varchar"}, {"partitions", "int"}}; }
  static columns rewinds_columns() {
    return of_partition({{"cause", "text"},
                         {"from_offset", "bigint"},
                         {"to_offset", "bigint"},
                         {"incarnation", "bigint"},
                         {"at_ms", "bigint"}});
  }
  static columns letters_columns() {
    return of_partition({{"offset", "bigint"},
                         {"incarnation", "bigint"},
                         {"timestamp", "bigint"},
                         {"key", "longblob"},
                         {"value", "longblob"},
                         {"headers", "longtext"},
                         {"error", "longtext"},
                         {"attempts", "int"},
                         {"first", "bigint"}});
  }

  std::string table(std::string const& name, std::string const& inside) const {
    return "create table if not exists " + named(name) + " (" + inside + ") engine = InnoDB " + text_type;
  }
  static std::string place() {
    return "grp varchar(255) not null, topic varchar(255) not null, `partition` integer not null, ";
  }
  std::string letters(std::string const& name) const {
    return table(
        name,
        place() +
            "`offset` bigint not null, incarnation bigint not null, `timestamp` bigint not null, `key` "
            "longblob, `value` longblob, headers longtext, error longtext not null, attempts integer not null, `first` "
            "bigint not null, primary key (grp, topic, `partition`, incarnation, `offset`)");
  }
  std::vector<std::string> creation() const {
    return {table(name_ + "_meta", "name varchar(255) not null primary key, value varchar(255) not null"),
            "insert into " + with("_meta") + " values ('format', '" + std::to_string(format) +
                "') on duplicate key update value = value",
            table(name_ + "_topics",
                  "grp varchar(255) not null, topic varchar(255) not null, partitions integer not null, primary key "
                  "(grp, topic)"),
            table(name_ + "_rewinds",
                  "id bigint not null auto_increment primary key, " + place() +
                      "cause text not null, from_offset bigint not null, to_offset bigint not null, incarnation bigint "
                      "not null, at_ms bigint not null, key of_partition (grp, topic, `partition`)"),
            letters(skipped()),
            table(name_, place() + "next bigint not null, incarnation bigint not null, fence_turn bigint not null, "
                                   "fence_nonce bigint, leader_epoch integer not null default -1, last_offset bigint, "
                                   "last_hash bigint, primary key (grp, topic, `partition`)")};
  }
};

}}}  // namespace sluice::v0::detail::mysql
