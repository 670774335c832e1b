// sqlite:FILE, the library's own tables or one of somebody else's.
#include <sluice/offset_store/sqlite_read.hpp>

#include "../own_store.hpp"
#include "../sql_table.hpp"

namespace offsets_tool { namespace {

namespace sql = sl::detail::sqlite;

class session final : public table_session {
  sql::connection db_;
  table_names names_;
  std::string key_;

 public:
  session(std::string const& path, table_names names, bool writes)
      : db_("sqlite", path, std::chrono::seconds{5}, writes ? sql::access::write : sql::access::read),
        names_(std::move(names)),
        key_(names_.group.empty() ? "? is not null" : in_brackets(names_.group) + " = ?") {}

  void begin(sl::time_point by) override { db_.begin(by); }
  std::vector<row> rows(std::string const& group, sl::time_point by) override {
    if (!db_.in_transaction()) db_.wait_until(by);
    auto const text = [&](std::string const& column) { return "cast(" + in_brackets(column) + " as text)"; };
    std::vector<row> all;
    statement("select " + text(names_.topic) + ", " + text(names_.partition) + ", " + text(names_.offset) + " from " +
              in_brackets(names_.table) + " where " + key_)
        .each(
            [&](sl::sqlite_row r) {
              using value = std::optional<std::string>;
              all.push_back({r.get<value>(0), r.get<value>(1), r.get<value>(2)});
            },
            group);
    return all;
  }
  int update(std::string const& group, sl::topic_partition const& of, std::int64_t to, sl::time_point) override {
    return statement("update " + in_brackets(names_.table) + " set " + in_brackets(names_.offset) + " = ? where " +
                     key_ + " and " + in_brackets(names_.topic) + " = ? and " + in_brackets(names_.partition) + " = ?")
        .run(to, group, of.topic, of.partition);
  }
  void insert(std::string const& group, sl::topic_partition const& of, std::int64_t to, sl::time_point) override {
    auto const columns =
        in_brackets(names_.topic) + ", " + in_brackets(names_.partition) + ", " + in_brackets(names_.offset);
    if (names_.group.empty())
      statement("insert into " + in_brackets(names_.table) + " (" + columns + ") values (?, ?, ?)")
          .run(of.topic, of.partition, to);
    else
      statement("insert into " + in_brackets(names_.table) + " (" + columns + ", " + in_brackets(names_.group) +
                ") values (?, ?, ?, ?)")
          .run(of.topic, of.partition, to, group);
  }
  void commit(sl::time_point) override { db_.commit(); }

 private:
  /// In double quotes SQLite would take a column that isn't there for a text.
  static std::string in_brackets(std::string const& name) { return "[" + name + "]"; }

  sql::statement statement(std::string const& text) {
    sqlite3_stmt* tried = nullptr;
    bool const wrong = sqlite3_prepare_v2(db_.get(), text.c_str(), -1, &tried, nullptr) == SQLITE_ERROR;
    sqlite3_finalize(tried);
    if (wrong) throw failure{"sqlite:" + db_.path() + ", table " + names_.table + ": " + sqlite3_errmsg(db_.get())};
    return {db_, text, "a table of your own"};
  }
};

std::unique_ptr<table_session> open_table(store_words const& w, table_names const& names, sql_table::purpose what,
                                          sl::time_point) {
  if (::access(w.place.c_str(), F_OK) != 0) throw failure{"sqlite:" + w.place + ": there is no such file"};
  if (names.table.find('.') != names.table.npos) throw failure{"--table: a table of SQLite has no schema in front"};
  return std::make_unique<session>(w.place, names, what == sql_table::purpose::write);
}

std::unique_ptr<store> open(store_words const& w) {
  if (w.place.empty()) throw failure{"sqlite: needs a file, as in sqlite:billing.db"};
  if (w.has("--columns")) return std::make_unique<sql_table>(w, "sqlite:" + w.place, open_table);
  sl::sqlite_offsets policy{.path = w.place};
  if (w.has("--table")) policy.table = w.table;
  return make_own(w, policy);
}

registered const mine{{.word = "sqlite",
                       .form = "sqlite:FILE",
                       .help = "an SQLite file",
                       .takes = {"--table", "--columns", "--group-column", "--stored-offset-is"},
                       .open = open}};

}}  // namespace offsets_tool
