// sqlite:FILE
#include <sluice/offset_store/sqlite_positions.hpp>

#include "../sql_letters.hpp"

namespace letters_tool { namespace {

namespace sql = sl::detail::sqlite;

class session final : public sql_letters_session {
  sql::connection db_;
  std::string table_;

  /// In double quotes SQLite would take a column that isn't there for a text: hence brackets.
  sql::statement statement(std::string const& text) {
    sqlite3_stmt* tried = nullptr;
    bool const wrong = sqlite3_prepare_v2(db_.get(), text.c_str(), -1, &tried, nullptr) == SQLITE_ERROR;
    sqlite3_finalize(tried);
    if (wrong)
      throw failure{"sqlite:" + db_.path() + ", table " + table_ + ": " + sqlite3_errmsg(db_.get()) +
                    ": is it a table of letters? (One of an earlier version gets its column headers when a consumer "
                    "opens it)"};
    return {db_, text, "a table of letters"};
  }

 public:
  explicit session(place_words const& w)
      : db_("sqlite", w.place, std::chrono::seconds{5}, w.changes ? sql::access::write : sql::access::read),
        table_(sql_table_name(w.table, '"')) {}

  std::vector<sql_row> rows(std::optional<sql_key> const& after, sl::time_point by) override {
    db_.wait_until(by);
    std::string columns;
    for (auto const* c : sql_columns) {
      std::string const name = "[" + std::string(c) + "]", text = "cast(" + name + " as text)";
      bool const bytes = std::string_view{c} == "key" || std::string_view{c} == "value";
      columns += (columns.empty() ? "" : ", ") + (bytes ? name : text);
    }
    auto const from = after.value_or(sql_key{});
    std::vector<sql_row> all;
    statement("select " + columns + " from " + table_ +
              " where ?1 or ([grp], [topic], [partition], [incarnation], [offset]) > (?2, ?3, ?4, ?5, ?6)"
              " order by [grp], [topic], [partition], [incarnation], [offset] limit " +
              std::to_string(rows_of_a_page))
        .each(
            [&](sl::sqlite_row r) {
              auto& one = all.emplace_back();
              for (int i = 0; i < static_cast<int>(one.size()); ++i)
                one[static_cast<std::size_t>(i)] = r.get<std::optional<std::string>>(i);
            },
            after ? 0 : 1, from.group, from.topic, from.partition, from.incarnation, from.offset);
    return all;
  }
  std::vector<std::array<std::string, 5>> newest(sl::time_point by) override {
    db_.wait_until(by);
    std::vector<std::array<std::string, 5>> all;
    statement(
        "select [grp], [topic], cast([partition] as text), cast([incarnation] as text), cast(max([offset]) as text)"
        " from " +
        table_ + " group by 1, 2, 3, 4")
        .each([&](sl::sqlite_row r) {
          auto& one = all.emplace_back();
          for (int i = 0; i < 5; ++i) one[static_cast<std::size_t>(i)] = r.get<std::string>(i);
        });
    return all;
  }
  std::vector<bool> erase(std::vector<letter> const& set, sl::time_point by) override {
    auto remove =
        statement("delete from " + table_ +
                  " where [grp] = ? and [topic] = ? and [partition] = ? and [incarnation] = ? and [offset] = ?"
                  " and [error] = ? and [attempts] = ? and [first] = ?");
    std::vector<bool> were;
    db_.begin(by);
    try {
      for (auto const& l : set)
        were.push_back(
            remove.run(l.group, l.topic, l.partition, l.incarnation, l.offset, l.error, l.attempts, l.first) == 1);
      db_.commit();
    } catch (...) {
      db_.rollback();
      throw;
    }
    return were;
  }
};

std::unique_ptr<place> open(place_words const& w) {
  if (w.place.empty()) throw failure{"sqlite: needs a file, as in sqlite:billing.db"};
  if (::access(w.place.c_str(), F_OK) != 0) throw failure{"sqlite:" + w.place + ": there is no such file"};
  if (w.table.find('.') != w.table.npos) throw failure{"--table: a table of SQLite has no schema in front"};
  return std::make_unique<sql_letters>("sqlite:" + w.place, w, std::make_unique<session>(w));
}

registered const mine{
    {.word = "sqlite", .form = "sqlite:FILE", .help = "a table in an SQLite file", .takes = {"--table"}, .open = open}};

}}  // namespace letters_tool
