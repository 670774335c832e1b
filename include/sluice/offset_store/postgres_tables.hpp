/// \file offset_store/postgres_tables.hpp  The tables that postgres_offsets keeps, how they are made, and whether those found are they.
///
/// With `create = false` nothing is created; whoever may, runs what the error prints. For the table sluice_offsets:
///
///     create table sluice_offsets (grp text not null, topic text not null, partition integer not null,
///       next bigint not null, incarnation bigint not null, fence_turn bigint not null, fence_nonce bigint,
///       leader_epoch integer not null default -1, last_offset bigint, last_hash bigint,
///       primary key (grp, topic, partition)) with (fillfactor = 50);
///     create table sluice_offsets_topics (grp text not null, topic text not null, partitions integer not null,
///       primary key (grp, topic));
///     create table sluice_offsets_rewinds (grp text not null, topic text not null, partition integer not null,
///       cause text not null, from_offset bigint not null, to_offset bigint not null, incarnation bigint not null,
///       at_ms bigint not null);
///     create index sluice_offsets_rewinds_of on sluice_offsets_rewinds (grp, topic, partition);
///     create table sluice_offsets_skipped (grp text not null, topic text not null, partition integer not null,
///       "offset" bigint not null, incarnation bigint not null, timestamp bigint not null, "key" bytea, value bytea,
///       headers text, error text not null, attempts integer not null, "first" bigint not null,
///       primary key (grp, topic, partition, incarnation, "offset"));
///     create table sluice_offsets_meta (name text primary key, value text not null);
///     insert into sluice_offsets_meta values ('format', '1');
#pragma once
#include <sluice/offset_store/postgres_connection.hpp>

namespace sluice { inline namespace v0 { namespace detail::postgres {

inline constexpr std::int64_t format = 1;

/// In double quotes.
inline std::string in_quotes(std::string_view name) {
  std::string text = "\"";
  for (char const c : name) text.append(c == '"' ? 2 : 1, c);
  return text + "\"";
}

inline void check_name(std::string const& key, std::string_view name, std::size_t most) {
  if (!is_sql_name(name, most))
    throw error(errc::bad_configuration, key + " (" + std::to_string(name.size()) +
                                             " bytes) can't be used in SQL: give 1 to " + std::to_string(most) +
                                             " letters, digits and underscores, no digit first");
}

/// Where the tables are: every statement names the schema, whatever search_path becomes.
class tables {
  connection& db_;
  std::string name_;
  bool create_;
  std::string schema_{};

 public:
  tables(connection& db, std::string name, bool create) : db_(db), name_(std::move(name)), create_(create) {}

  std::string with(std::string_view suffix) const { return named(name_ + std::string(suffix)); }
  std::string named(std::string_view table) const { return in_quotes(schema_) + "." + in_quotes(table); }
  std::string skipped() const { return name_ + "_skipped"; }

  /// Sees to it that they are there, in a format that is known. Throws error(bad_configuration), store_error.
  void prepare(time_point by) {
    bool const taken = find(name_, by);  // looked at first: another consumer may make them all before the next look
    if (!find(name_ + "_meta", by)) {
      if (taken) another_shape(name_, "is there and is not one that the library made");
      make(name_, creation(), by);
    }
    check_format(by);
    check_shape(
        name_,
        "grp, topic, partition, next, incarnation, fence_turn, fence_nonce, leader_epoch, last_offset, last_hash",
        {25, 25, 23, 20, 20, 20, 20, 23, 20, 20}, by);
    check_shape(name_ + "_topics", "grp, topic, partitions", {25, 25, 23}, by);
    check_shape(name_ + "_rewinds", "grp, topic, partition, cause, from_offset, to_offset, incarnation, at_ms",
                {25, 25, 23, 25, 20, 20, 20, 20}, by);
    prepare_letters(skipped(), by);
  }

  /// Whether they are there, in a format that is known; makes nothing, and asks for no right but to read. Throws as
  /// prepare() does.
  bool look(time_point by) {
    bool const taken = find(name_, by);  // looked at first, as above
    if (!find(name_ + "_meta", by)) {
      if (taken) another_shape(name_, "is there and is not one that the library made");
      return false;
    }
    check_format(by);
    return true;
  }

  /// The table for state, where a handler keeps some.
  void prepare_state(time_point by) {
    auto const table = name_ + "_state";
    auto const there = db_.must_one(
        {"select 1 from pg_tables where schemaname = $1 and tablename = $2", parameters::of(schema_, table)},
        "looking for tables", by);
    if (there.rows() == 0)
      make(table,
           {"create table if not exists " + in_quotes(table) +
                " (grp text not null, name text not null, topic text not null, partition integer not null, \"key\" "
                "bytea not null, value bytea not null, due bigint, primary key (grp, name, topic, partition, \"key\"))",
            "create index if not exists " + in_quotes(name_ + "_statedue") + " on " + in_quotes(table) +
                " (grp, name, topic, partition, due) where due is not null"},
           by);
    check_shape(table, "grp, name, topic, partition, \"key\", value, due", {25, 25, 25, 23, 17, 17, 20}, by);
  }

  /// A table of records that were set aside, in the schema of the others.
  void prepare_letters(std::string const& table, time_point by) {
    auto const there = db_.must_one(
        {"select 1 from pg_tables where schemaname = $1 and tablename = $2", parameters::of(schema_, table)},
        "looking for tables", by);
    if (there.rows() == 0)
      make(table, {letters(table)}, by);
    else
      add_headers(table, by);
    check_shape(table,
                "grp, topic, partition, \"offset\", incarnation, timestamp, \"key\", value, headers, error, attempts, "
                "\"first\"",
                {25, 25, 23, 20, 20, 20, 17, 17, 25, 25, 23, 20}, by);
  }

 private:
  [[noreturn]] void another_shape(std::string const& table, std::string const& what) const {
    throw error(errc::bad_configuration, db_.at() + "the table " + table + " " + what + ": choose another name");
  }

  /// Remembers its schema.
  bool find(std::string const& table, time_point by) {
    auto const r = db_.must_one({"select n.nspname from pg_class c join pg_namespace n on n.oid = c.relnamespace"
                                 " where c.oid = to_regclass($1)",
                                 parameters::of(in_quotes(table))},
                                "looking for tables", by);
    if (r.rows() == 0) return false;
    schema_ = r.text(0, 0);
    return true;
  }

  void make(std::string const& table, std::vector<std::string> const& ddl, time_point by) {
    std::string all;
    for (auto const& d : ddl) all.append(d).append("; ");
    if (!create_)
      throw error(errc::bad_configuration,
                  db_.at() + "the table " + table +
                      " is not there, and .create is false. Have this run by a role that may: " + all);
    if (schema_.empty()) {
      auto const r = db_.must_one({"select current_schema()"}, "looking for a schema", by);
      if (r.null(0, 0))
        throw error(errc::bad_configuration,
                    db_.at() + "search_path names no schema that exists: create one for the table " + table);
      schema_ = r.text(0, 0);
    }
    // The lock: two that create at once would disturb each other in the catalogue.
    std::vector<request> requests{{"begin"},
                                  {"select pg_advisory_xact_lock(727375696, hashtext($1))", parameters::of(table)},
                                  {"select set_config('search_path', $1, true)", parameters::of(in_quotes(schema_))}};
    for (auto const& d : ddl) requests.push_back({d});
    requests.push_back({"commit"});
    for (auto const& r : db_.ask(requests, by)) {
      if (r.good()) continue;
      if (r.state() == "42501")
        throw error(errc::bad_configuration, db_.at()
                                                 .append("the role may not create the table ")
                                                 .append(table + " (" + connection::message_of(r))
                                                 .append("). Have this run by one that may: ")
                                                 .append(all));
      db_.fail(r, "creating tables");
    }
  }

  /// Tables of an earlier version lack the column.
  void add_headers(std::string const& table, time_point by) {
    auto const has = db_.must_one(
        {"select count(*) filter (where a.attname in ('grp', 'attempts', 'first')), count(*) filter (where a.attname ="
         " 'headers') from pg_attribute a join pg_class c on c.oid = a.attrelid join pg_namespace n on n.oid ="
         " c.relnamespace where n.nspname = $1 and c.relname = $2 and not a.attisdropped",
         parameters::of(schema_, table)},
        "looking at tables", by);
    if (has.number(0, 0) != 3 || has.number(0, 1) != 0) return;
    auto const ddl = "alter table " + named(table) + " add column if not exists headers text";
    auto const lacks = [&](std::string const& why) {
      throw error(errc::bad_configuration, db_.at()
                                               .append("the table ")
                                               .append(table + " is of an earlier version and lacks the column headers")
                                               .append(why + ". Have this run by its owner: ")
                                               .append(ddl));
    };
    if (!create_) lacks(", and .create is false");
    auto const r = db_.ask_one({ddl}, by);
    if (r.state() == "42501") lacks(" (" + connection::message_of(r) + ")");
    if (!r.good()) db_.fail(r, "adding a column to the table " + table);
  }

  void check_format(time_point by) {
    auto const r =
        db_.must_one({"select value from " + with("_meta") + " where name = 'format'"}, "reading the format", by);
    auto const found = r.rows() == 1 ? std::string(r.text(0, 0)) : std::string{};
    if (found == std::to_string(format)) return;
    if (std::atoll(found.c_str()) > format)
      throw store_error(errc::store_newer, db_.at() + "the table " + name_ + " was written in format " + found +
                                               ", this version knows up to " + std::to_string(format) +
                                               ": use the version of the library that wrote it");
    throw store_error(errc::store_damaged, db_.at() + "table " + name_ + "_meta names no known format");
  }

  void check_shape(std::string const& table, std::string const& columns, std::vector<unsigned> const& types,
                   time_point by) {
    auto const rights =
        db_.must_one({"select current_user, bool_and(has_table_privilege(c.oid, what)) from pg_class c join"
                      " pg_namespace n on n.oid = c.relnamespace, unnest(array['select', 'insert', 'update'])"
                      " what where n.nspname = $1 and c.relname = $2 group by 1",
                      parameters::of(schema_, table)},
                     "reading rights", by);
    if (rights.rows() == 0) another_shape(table, "is not there, though others of the library's are");
    if (rights.text(0, 1) != "t")
      throw error(errc::bad_configuration, db_.at() + "the role " + std::string(rights.text(0, 0)) +
                                               " lacks rights: have its owner run: grant select, insert, update on " +
                                               named(table) + " to " + in_quotes(rights.text(0, 0)));
    auto const r = db_.ask_one({"select " + columns + " from " + named(table) + " where false"}, by);
    if (!r.good() && !r.state().starts_with("42")) db_.fail(r, "looking at the table " + table);
    for (int i = 0; r.good() && i < static_cast<int>(types.size()); ++i)
      if (PQftype(r.get(), i) != types[static_cast<std::size_t>(i)])
        another_shape(table, std::string("has another type in the column ") + PQfname(r.get(), i));
    if (!r.good())
      another_shape(table, "is there and is not one that the library made (" + connection::message_of(r) + ")");
  }

  static std::string place() { return "(grp text not null, topic text not null, partition integer not null, "; }
  static std::string letters(std::string const& table) {
    return "create table if not exists " + in_quotes(table) + " " + place() +
           "\"offset\" bigint not null, incarnation bigint not null, timestamp bigint not null, \"key\" bytea, value "
           "bytea, "
           "headers text, error text not null, attempts integer not null, \"first\" bigint not null, "
           "primary key (grp, topic, partition, incarnation, \"offset\"))";
  }
  std::vector<std::string> creation() const {
    auto const table = [&](std::string_view suffix) {
      return "create table if not exists " + in_quotes(name_ + std::string(suffix)) + " ";
    };
    return {table("") + place() +
                "next bigint not null, incarnation bigint not null, fence_turn bigint not null, fence_nonce bigint, "
                "leader_epoch integer not null default -1, last_offset bigint, last_hash bigint, "
                "primary key (grp, topic, partition)) with (fillfactor = 50)",
            table("_topics") +
                "(grp text not null, topic text not null, partitions integer not null, primary key (grp, topic))",
            table("_rewinds") + place() +
                "cause text not null, from_offset bigint not null, to_offset bigint not null, "
                "incarnation bigint not null, at_ms bigint not null)",
            "create index if not exists " + in_quotes(name_ + "_rewinds_of") + " on " + in_quotes(name_ + "_rewinds") +
                " (grp, topic, partition)",
            letters(skipped()),
            table("_meta") + "(name text primary key, value text not null)",
            "insert into " + in_quotes(name_ + "_meta") + " values ('format', '" + std::to_string(format) +
                "') on conflict do nothing"};
  }
};

}}}  // namespace sluice::v0::detail::postgres
