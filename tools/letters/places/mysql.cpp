// mysql:HOST:PORT/DATABASE
#include "../../common/mysql_place.hpp"
#include "../sql_letters.hpp"

namespace letters_tool { namespace {

namespace my = sl::detail::mysql;

sl::mysql_offsets policy_of(place_words const& w) {
  auto policy = mysql_place(w);
  policy.assume_durable = true;
  return policy;
}

class session final : public sql_letters_session {
  my::connection db_;
  std::string name_, table_;

  my::answers asked(std::string const& sql, sl::time_point by) {
    db_.ready(by);
    auto a = db_.ask(sql, by);
    if (a.good()) return a;
    if (my::is_of_the_store(a.failed)) db_.fail(a.failed, "the table " + name_);
    throw failure{db_.at() + "table " + name_ + ": " + a.failed.message};
  }
  static std::string place_of(sql_key const& k) {
    return my::literal(k.group) + ", " + my::literal(k.topic) + ", " + std::to_string(k.partition) + ", " +
           std::to_string(k.incarnation) + ", " + std::to_string(k.offset);
  }
  static constexpr auto key = "(grp, topic, `partition`, incarnation, `offset`)";

 public:
  explicit session(place_words const& w)
      : db_(my::options_of("mysql", policy_of(w))), name_(w.table), table_(sql_table_name(w.table, '`')) {
    db_.ready(w.by());
  }

  std::vector<sql_row> rows(std::optional<sql_key> const& after, sl::time_point by) override {
    std::string columns;
    for (auto const* c : sql_columns) columns += (columns.empty() ? "" : ", ") + my::in_quotes(c);
    auto const found =
        asked("select " + columns + " from " + table_ +
                  (after ? std::string(" where ") + key + " > (" + place_of(*after) + ")" : "") +
                  " order by grp, topic, `partition`, incarnation, `offset` limit " + std::to_string(rows_of_a_page),
              by);
    std::vector<sql_row> all;
    for (std::size_t i = 0; i < found[0].rows(); ++i) {
      auto& one = all.emplace_back();
      for (std::size_t c = 0; c < one.size(); ++c)
        if (!found[0].null(i, c)) one[c] = found[0].text(i, c);
    }
    return all;
  }
  std::vector<std::array<std::string, 5>> newest(sl::time_point by) override {
    auto const found = asked("select grp, topic, `partition`, incarnation, max(`offset`) from " + table_ +
                                 " group by grp, topic, `partition`, incarnation",
                             by);
    std::vector<std::array<std::string, 5>> all;
    for (std::size_t i = 0; i < found[0].rows(); ++i) {
      auto& one = all.emplace_back();
      for (std::size_t c = 0; c < one.size(); ++c) one[c] = found[0].text(i, c);
    }
    return all;
  }
  std::vector<bool> erase(std::vector<letter> const& set, sl::time_point by) override {
    std::string all = "start transaction; ";
    for (auto const& l : set)
      all += "delete from " + table_ + " where " + key + " = (" + place_of(key_of(l)) +
             ") and error = " + my::literal(l.error) + " and attempts = " + std::to_string(l.attempts) +
             " and `first` = " + std::to_string(l.first) + "; ";
    auto const done = asked(all + "commit", by);
    std::vector<bool> were;
    were.reserve(set.size());
    for (std::size_t i = 0; i < set.size(); ++i) were.push_back(done[i + 1].changed() == 1);
    return were;
  }
};

std::unique_ptr<place> open(place_words const& w) {
  return std::make_unique<sql_letters>(w.kind + ":" + w.place, w, std::make_unique<session>(w));
}

registered const mine{{.word = "mysql",
                       .form = "mysql:HOST:PORT/DATABASE",
                       .help = "a table in MariaDB, or mysql:/SOCKET/DATABASE by the path of a Unix socket",
                       .takes = {"--table", "--user", "--password-file", "--password-variable"},
                       .open = open}};

}}  // namespace letters_tool
