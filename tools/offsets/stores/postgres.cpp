// postgres:CONNECTION, the library's own tables or one of somebody else's.
#include <sluice/offset_store/postgres_read.hpp>

#include "../../common/postgres_place.hpp"
#include "../own_store.hpp"
#include "../sql_table.hpp"

namespace offsets_tool { namespace {

namespace pg = sl::detail::postgres;

class session final : public table_session {
  pg::connection db_;
  table_names names_;
  bool locks_ = false;

  std::string group_is(char const* parameter) const {
    return names_.group.empty() ? std::string(parameter) + "::text is not null"
                                : names_.quoted(names_.group) + " = " + parameter;
  }

 public:
  session(store_words const& w, table_names names, sl::time_point by)
      : db_({.who = "postgres", .connection = postgres_connection(w.place), .assume_durable = w.assume_durable}),
        names_(std::move(names)) {
    db_.ready(by);
  }
  void begin(sl::time_point by) override {
    db_.must_one({"begin isolation level read committed"}, "begin", by);
    locks_ = true;
  }
  std::vector<row> rows(std::string const& group, sl::time_point by) override {
    auto const text = [&](std::string const& column) { return names_.quoted(column) + "::text"; };
    auto const r =
        asked({"select " + text(names_.topic) + ", " + text(names_.partition) + ", " + text(names_.offset) + " from " +
                   names_.quoted_table() + " where " + group_is("$1") + (locks_ ? " for update" : ""),
               pg::parameters::of(group)},
              by);
    std::vector<row> all;
    for (int i = 0; i < r.rows(); ++i) {
      auto& one = all.emplace_back();
      for (int c = 0; c < 3; ++c)
        if (!r.null(i, c)) one[static_cast<std::size_t>(c)] = std::string(r.text(i, c));
    }
    return all;
  }
  int update(std::string const& group, sl::topic_partition const& of, std::int64_t to, sl::time_point by) override {
    auto const r = asked(
        {"update " + names_.quoted_table() + " set " + names_.quoted(names_.offset) + " = $1 where " + group_is("$2") +
             " and " + names_.quoted(names_.topic) + " = $3 and " + names_.quoted(names_.partition) + " = $4",
         pg::parameters::of(to, group, of.topic, of.partition)},
        by);
    return std::atoi(PQcmdTuples(r.get()));
  }
  void insert(std::string const& group, sl::topic_partition const& of, std::int64_t to, sl::time_point by) override {
    auto const columns =
        names_.quoted(names_.topic) + ", " + names_.quoted(names_.partition) + ", " + names_.quoted(names_.offset);
    if (names_.group.empty())
      asked({"insert into " + names_.quoted_table() + " (" + columns + ") values ($1, $2, $3)",
             pg::parameters::of(of.topic, of.partition, to)},
            by);
    else
      asked({"insert into " + names_.quoted_table() + " (" + columns + ", " + names_.quoted(names_.group) +
                 ") values ($1, $2, $3, $4)",
             pg::parameters::of(of.topic, of.partition, to, group)},
            by);
  }
  void commit(sl::time_point by) override { db_.must_one({"commit"}, "commit", by); }

 private:
  pg::result asked(pg::request const& what, sl::time_point by) {
    auto r = db_.ask_one(what, by);
    if (r.good()) return r;
    if (r.state().starts_with("42") || r.state().starts_with("22") || r.state().starts_with("23"))
      throw failure{db_.at() + "table " + names_.table + ": " + pg::connection::message_of(r)};
    db_.fail(r, "the table " + names_.table);
  }
};

std::unique_ptr<table_session> open_table(store_words const& w, table_names const& names, sql_table::purpose,
                                          sl::time_point by) {
  return std::make_unique<session>(w, names, by);
}

std::unique_ptr<store> open(store_words const& w) {
  auto const connection = postgres_connection(w.place);
  if (w.has("--columns")) return std::make_unique<sql_table>(w, postgres_name(connection), open_table);
  sl::postgres_offsets policy{.connection = connection, .assume_durable = w.assume_durable};
  if (w.has("--table")) policy.table = w.table;
  return std::make_unique<own_store<sl::postgres_offsets>>(postgres_name(connection), policy);
}

registered const mine{{.word = "postgres",
                       .form = "postgres:CONNECTION",
                       .help = "PostgreSQL, by libpq's words (\"host=db dbname=billing\"); the password comes from "
                               "~/.pgpass, PGPASSFILE or PGPASSWORD",
                       .takes = {"--table", "--columns", "--group-column", "--stored-offset-is", "--assume-durable"},
                       .open = open}};

}}  // namespace offsets_tool
