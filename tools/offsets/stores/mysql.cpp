// mysql:HOST:PORT/DATABASE, the library's own tables or one of somebody else's.
#include <sluice/offset_store/mysql_read.hpp>

#include "../../common/mysql_place.hpp"
#include "../own_store.hpp"
#include "../sql_table.hpp"

namespace offsets_tool { namespace {

namespace my = sl::detail::mysql;

sl::mysql_offsets policy_of(store_words const& w) {
  auto policy = mysql_place(w);
  policy.assume_durable = w.assume_durable;
  return policy;
}

class session final : public table_session {
  my::connection db_;
  table_names names_;

  static std::string quoted(std::string const& name) { return table_names::quoted(name, '`'); }
  std::string table() const { return names_.quoted_table('`'); }
  std::string group_is(std::string const& group) const {
    return names_.group.empty() ? std::string{"1"} : quoted(names_.group) + " = " + my::literal(group);
  }

 public:
  session(store_words const& w, table_names names, sl::time_point by)
      : db_(my::options_of("mysql", policy_of(w))), names_(std::move(names)) {
    db_.ready(by);
  }
  void begin(sl::time_point by) override {
    asked("start transaction", by);
    auto const engine =
        asked("select engine from information_schema.tables where table_schema = " +
                  my::literal(names_.schema(db_.database())) + " and table_name = " + my::literal(names_.bare_table()),
              by);
    if (engine[0].rows() == 1 && engine[0].text(0, 0) != "InnoDB")
      throw failure{
          db_.at() + "table " + names_.table + " has the engine " + engine[0].text(0, 0) +
          ", which knows no transactions, so a change could be left half done: alter table … engine = InnoDB"};
  }
  std::vector<row> rows(std::string const& group, sl::time_point by) override {
    auto const text = [&](std::string const& column) { return "cast(" + quoted(column) + " as char)"; };
    auto const found =
        asked("select " + text(names_.topic) + ", " + text(names_.partition) + ", " + text(names_.offset) + " from " +
                  table() + " where " + group_is(group) + (db_.in_transaction() ? " for update" : ""),
              by);
    std::vector<row> all;
    for (std::size_t i = 0; i < found[0].rows(); ++i) {
      auto& one = all.emplace_back();
      for (std::size_t c = 0; c < one.size(); ++c)
        if (!found[0].null(i, c)) one[c] = found[0].text(i, c);
    }
    return all;
  }
  int update(std::string const& group, sl::topic_partition const& of, std::int64_t to, sl::time_point by) override {
    auto const done =
        asked("update " + table() + " set " + quoted(names_.offset) + " = " + std::to_string(to) + " where " +
                  group_is(group) + " and " + quoted(names_.topic) + " = " + my::literal(of.topic) + " and " +
                  quoted(names_.partition) + " = " + std::to_string(of.partition),
              by);
    return static_cast<int>(done[0].changed());
  }
  void insert(std::string const& group, sl::topic_partition const& of, std::int64_t to, sl::time_point by) override {
    auto columns = quoted(names_.topic) + ", " + quoted(names_.partition) + ", " + quoted(names_.offset);
    auto values = my::literal(of.topic) + ", " + std::to_string(of.partition) + ", " + std::to_string(to);
    if (!names_.group.empty()) {
      columns += ", " + quoted(names_.group);
      values += ", " + my::literal(group);
    }
    asked("insert into " + table() + " (" + columns + ") values (" + values + ")", by);
  }
  void commit(sl::time_point by) override { db_.must("commit", "commit", by); }

 private:
  my::answers asked(std::string const& sql, sl::time_point by) {
    auto a = db_.ask(sql, by);
    if (a.good()) return a;
    if (my::is_of_the_store(a.failed)) db_.fail(a.failed, "the table " + names_.table);
    throw failure{db_.at() + "table " + names_.table + ": " + a.failed.message};
  }
};

std::unique_ptr<table_session> open_table(store_words const& w, table_names const& names, sql_table::purpose,
                                          sl::time_point by) {
  return std::make_unique<session>(w, names, by);
}

std::unique_ptr<store> open(store_words const& w) {
  auto policy = policy_of(w);
  if (w.has("--columns")) return std::make_unique<sql_table>(w, w.kind + ":" + w.place, open_table);
  if (w.has("--table")) policy.table = w.table;
  return make_own(w, policy);
}

registered const mine{{.word = "mysql",
                       .form = "mysql:HOST:PORT/DATABASE",
                       .help = "MariaDB, or mysql:/SOCKET/DATABASE by the path of a Unix socket",
                       .takes = {"--table", "--columns", "--group-column", "--stored-offset-is", "--user",
                                 "--password-file", "--password-variable", "--assume-durable"},
                       .open = open}};

}}  // namespace offsets_tool
