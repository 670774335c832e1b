// postgres:CONNECTION
#include "../../common/postgres_place.hpp"
#include "../sql_letters.hpp"

namespace letters_tool { namespace {

namespace pg = sl::detail::postgres;

class session final : public sql_letters_session {
  pg::connection db_;
  std::string name_, table_;

  pg::result asked(pg::request const& what, sl::time_point by) {
    db_.ready(by);
    return checked(db_.ask_one(what, by));
  }
  pg::result checked(pg::result r) {
    if (r.good()) return r;
    if (r.state().starts_with("42")) throw failure{db_.at() + "table " + name_ + ": " + pg::connection::message_of(r)};
    db_.fail(r, "the table " + name_);
  }
  static std::optional<std::string> bytes(pg::result const& r, int row, int column) {
    std::size_t size = 0;
    std::unique_ptr<unsigned char, void (*)(void*)> const raw{
        PQunescapeBytea(reinterpret_cast<unsigned char const*>(PQgetvalue(r.get(), row, column)), &size), PQfreemem};
    if (!raw) throw std::bad_alloc();
    return std::string{reinterpret_cast<char const*>(raw.get()), size};
  }

 public:
  explicit session(place_words const& w)
      : db_({.who = "postgres", .connection = postgres_connection(w.place), .assume_durable = true}),
        name_(w.table),
        table_(sql_table_name(w.table, '"')) {
    db_.ready(w.by());
  }

  std::vector<sql_row> rows(std::optional<sql_key> const& after, sl::time_point by) override {
    std::string columns;
    for (auto const* c : sql_columns) columns.append(columns.empty() ? "\"" : ", \"").append(c).append("\"");
    auto const from = after.value_or(sql_key{});
    auto const r =
        asked({"select " + columns + " from " + table_ +
                   " where $1 or (grp, topic, partition, incarnation, \"offset\") > ($2, $3, $4::integer, "
                   "$5::bigint, $6::bigint)"
                   " order by grp, topic, partition, incarnation, \"offset\" limit " +
                   std::to_string(rows_of_a_page),
               pg::parameters::of(!after, from.group, from.topic, from.partition, from.incarnation, from.offset)},
              by);
    std::vector<sql_row> all;
    for (int i = 0; i < r.rows(); ++i) {
      auto& one = all.emplace_back();
      for (int c = 0; c < static_cast<int>(one.size()); ++c)
        if (!r.null(i, c))
          one[static_cast<std::size_t>(c)] =
              PQftype(r.get(), c) == pg::bytea_type ? bytes(r, i, c) : std::string(r.text(i, c));
    }
    return all;
  }
  std::vector<std::array<std::string, 5>> newest(sl::time_point by) override {
    auto const r = asked({"select grp, topic, partition, incarnation, max(\"offset\") from " + table_ +
                          " group by grp, topic, partition, incarnation"},
                         by);
    std::vector<std::array<std::string, 5>> all;
    for (int i = 0; i < r.rows(); ++i) {
      auto& one = all.emplace_back();
      for (int c = 0; c < 5; ++c) one[static_cast<std::size_t>(c)] = r.text(i, c);
    }
    return all;
  }
  std::vector<bool> erase(std::vector<letter> const& set, sl::time_point by) override {
    std::vector<pg::request> what{{"begin"}};
    for (auto const& l : set)
      what.push_back(
          {"delete from " + table_ +
               " where grp = $1 and topic = $2 and partition = $3 and incarnation = $4 and \"offset\" = $5"
               " and error = $6 and attempts = $7 and \"first\" = $8",
           pg::parameters::of(l.group, l.topic, l.partition, l.incarnation, l.offset, l.error, l.attempts, l.first)});
    what.push_back({"commit"});
    db_.ready(by);
    auto answers = db_.ask(what, by);
    std::vector<bool> were;
    for (std::size_t i = 0; i < answers.size(); ++i) {
      auto const r = checked(std::move(answers[i]));
      if (i > 0 && i <= set.size()) were.push_back(std::string_view{PQcmdTuples(r.get())} == "1");
    }
    return were;
  }
};

std::unique_ptr<place> open(place_words const& w) {
  return std::make_unique<sql_letters>(postgres_name(postgres_connection(w.place)), w, std::make_unique<session>(w));
}

registered const mine{{.word = "postgres",
                       .form = "postgres:CONNECTION",
                       .help =
                           "a table in PostgreSQL, by libpq's words (\"host=db dbname=billing\"); the password comes "
                           "from ~/.pgpass, PGPASSFILE or PGPASSWORD",
                       .takes = {"--table"},
                       .open = open}};

}}  // namespace letters_tool
