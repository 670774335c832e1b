/// \file sql_letters.hpp  A table of letters, as dead_letter_table or a store's list of skipped records: read in the order of its key.
#pragma once
#include <sluice/detail/sql_text.hpp>

#include <array>
#include <compare>
#include <tuple>

#include "json.hpp"
#include "place.hpp"

namespace letters_tool {

/// The columns in this order; what is null is absent.
using sql_row = std::array<std::optional<std::string>, 12>;
inline constexpr std::array<char const*, 12> sql_columns{"grp",         "topic",     "partition", "offset",
                                                         "incarnation", "timestamp", "key",       "value",
                                                         "headers",     "error",     "attempts",  "first"};

/// What a row is told by.
struct sql_key {
  std::string group{}, topic{};
  std::int64_t partition = 0, incarnation = 0, offset = 0;
};

inline sql_key key_of(letter const& l) { return {l.group, l.topic, l.partition, l.incarnation, l.offset}; }

/// A database with such a table.
class sql_letters_session {
 public:
  static constexpr int rows_of_a_page = 200;
  virtual ~sql_letters_session() = default;
  /// The first rows behind that one, in the order (grp, topic, partition, incarnation, offset).
  virtual std::vector<sql_row> rows(std::optional<sql_key> const& after, sl::time_point by) = 0;
  /// grp, topic, partition, incarnation, the highest offset.
  virtual std::vector<std::array<std::string, 5>> newest(sl::time_point by) = 0;
  /// In one transaction, each if its error, attempts and first are still these. Answers which were.
  virtual std::vector<bool> erase(std::vector<letter> const& set, sl::time_point by) = 0;
};

/// NAME or SCHEMA.NAME, each part a name that may become part of an SQL text; in `mark`s.
inline std::string sql_table_name(std::string const& name, char mark) {
  auto const dot = name.find('.');
  std::string all;
  for (auto const& part : {name.substr(0, dot == name.npos ? 0 : dot), name.substr(dot == name.npos ? 0 : dot + 1)}) {
    if (part.empty() && all.empty() && dot == name.npos) continue;
    if (!sl::detail::is_sql_name(part))
      throw failure{"--table: " + as_found(name) +
                    " can't be a name in SQL here: letters, digits and underscores, no digit first"};
    all += (all.empty() ? "" : ".") + (mark + part + mark);
  }
  return all;
}

class sql_letters final : public place {
  using log_key = std::tuple<std::string, std::string, std::int64_t, std::int64_t>;

  std::string name_, table_;
  std::chrono::milliseconds timeout_;
  std::unique_ptr<sql_letters_session> session_;
  std::map<log_key, std::int64_t> newest_{};
  std::optional<sql_key> after_{};
  std::vector<letter> page_{};

  sl::time_point by() const { return std::chrono::steady_clock::now() + timeout_; }
  std::int64_t number(std::string const& text, char const* column) const {
    auto const n = whole_number<std::int64_t>(text);
    if (!n)
      throw failure{name() + ": the column " + column + " holds " + as_found(text) +
                    ", and no number: is it a table of letters?"};
    return *n;
  }
  found parsed(sql_row const& r) const {
    found f;
    auto& l = f.what;
    auto const text = [&](std::size_t i) { return r[i].value_or(""); };
    auto const n = [&](std::size_t i) { return number(text(i), sql_columns[i]); };
    l.group = text(0);
    l.topic = text(1);
    l.partition = n(2);
    l.offset = n(3);
    l.incarnation = n(4);
    l.timestamp = n(5);
    l.key = r[6];
    l.value = r[7];
    l.error = text(9);
    l.attempts = n(10);
    l.first = n(11);
    f.where = "row of group " + as_found(l.group) + ", " + l.topic + "/" + std::to_string(l.partition) + " offset " +
              std::to_string(l.offset);
    try {
      if (r[8]) l.headers = headers_of_json(*r[8]);
      if (l.topic.empty()) throw failure{"its topic is empty"};
      must_have_a_place(l);
    } catch (failure const& e) { f.damage = e.what(); }
    return f;
  }

 public:
  sql_letters(std::string name, place_words const& w, std::unique_ptr<sql_letters_session> session)
      : name_(std::move(name)), table_(w.table), timeout_(w.timeout), session_(std::move(session)) {}
  std::string name() const override { return name_ + ", table " + table_; }

  /// What a consumer sets aside from now on is for the next run, or a record that fails at once would go round in this one.
  void begin() override {
    after_.reset();
    newest_.clear();
    for (auto const& [group, topic, partition, incarnation, offset] : session_->newest(by()))
      newest_[{group, topic, number(partition, "partition"), number(incarnation, "incarnation")}] =
          number(offset, "offset");
  }
  std::vector<found> next() override {
    for (;;) {
      std::vector<found> page;
      page_.clear();
      auto const rows = session_->rows(after_, by());
      for (auto const& r : rows) {
        auto f = parsed(r);
        after_ = key_of(f.what);
        auto const known = newest_.find({f.what.group, f.what.topic, f.what.partition, f.what.incarnation});
        if (known == newest_.end() || f.what.offset > known->second) continue;
        page_.push_back(f.what);
        page.push_back(std::move(f));
      }
      if (!page.empty() || rows.empty()) return page;
    }
  }
  std::vector<std::string> gone(std::vector<bool> const& which) override {
    std::vector<letter> set;
    for (std::size_t i = 0; i < which.size(); ++i)
      if (which[i]) set.push_back(page_[i]);
    std::vector<std::string> kept;
    if (set.empty()) return kept;
    auto const erased = session_->erase(set, by());
    for (std::size_t i = 0; i < set.size(); ++i)
      if (!erased[i])
        kept.push_back(set[i].topic + "/" + std::to_string(set[i].partition) + " offset " +
                       std::to_string(set[i].offset) +
                       ": it went back, and its row has changed meanwhile: somebody has set the record aside again, or "
                       "another sluice-letters is at work");
    return kept;
  }
};

}  // namespace letters_tool
