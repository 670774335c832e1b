/// \file sql_table.hpp  A table of somebody else's with a row for each partition: read as it is, written in one transaction.
#pragma once
#include <sluice/detail/sql_text.hpp>

#include "number.hpp"

namespace offsets_tool {

/// Names that may become part of an SQL text.
struct table_names {
  std::string table{}, topic{}, partition{}, offset{}, group{};  // group may be empty: the table is one group's

  explicit table_names(store_words const& w) : table(w.table), group(w.group_column) {
    std::vector<std::string> names(1);
    for (char const c : w.columns)
      if (c == ',')
        names.emplace_back();
      else
        names.back() += c;
    if (table.empty() || names.size() != 3)
      throw failure{"a table of your own is named by --table NAME --columns TOPIC,PARTITION,OFFSET"};
    topic = names[0], partition = names[1], offset = names[2];
    auto const dot = table.find('.');
    auto parts = names;
    parts.push_back(table.substr(0, dot));
    if (dot != table.npos) parts.push_back(table.substr(dot + 1));
    if (!group.empty()) parts.push_back(group);
    for (auto const& n : parts)
      if (!sl::detail::is_sql_name(n))
        throw failure{as_found(n) + " can't be a name in SQL here: letters, digits and underscores, no digit first"};
  }

  std::string quoted_table(char mark = '"') const {
    auto const schema_ = schema({});
    return (schema_.empty() ? schema_ : quoted(schema_, mark) + ".") + quoted(bare_table(), mark);
  }
  /// The part in front of the dot; without one, `otherwise`.
  std::string schema(std::string const& otherwise) const {
    auto const dot = table.find('.');
    return dot == table.npos ? otherwise : table.substr(0, dot);
  }
  std::string bare_table() const { return table.substr(table.find('.') + 1); }

  static std::string quoted(std::string const& name, char mark = '"') { return mark + name + mark; }
};

/// A database with such a table, opened for one command. Values are text; what is null is absent.
class table_session {
 public:
  using row = std::array<std::optional<std::string>, 3>;
  virtual ~table_session() = default;
  virtual void begin(sl::time_point by) = 0;
  /// Topic, partition, offset; within a transaction nobody else changes them until its end.
  virtual std::vector<row> rows(std::string const& group, sl::time_point by) = 0;
  /// Answers how many rows were changed.
  virtual int update(std::string const& group, sl::topic_partition const& of, std::int64_t to, sl::time_point by) = 0;
  virtual void insert(std::string const& group, sl::topic_partition const& of, std::int64_t to, sl::time_point by) = 0;
  virtual void commit(sl::time_point by) = 0;  // without it all is undone
};

class sql_table final : public store {
 public:
  enum class purpose { read, write };
  using opener = std::unique_ptr<table_session> (*)(store_words const&, table_names const&, purpose, sl::time_point);

  sql_table(store_words w, std::string name, opener open)
      : words_(std::move(w)), names_(words_), name_(std::move(name)), counts_(words_), open_(open) {}

  std::string name() const override { return name_ + ", table " + names_.table; }
  bool is_foreign() const override { return true; }

  std::vector<sl::kept_position> read(std::string const& group, sl::time_point by) override {
    return parsed(open_(words_, names_, purpose::read, by)->rows(group, by));
  }
  receipt write(order const& what, sl::time_point by) override {
    auto const s = open_(words_, names_, purpose::write, by);
    s->begin(by);
    auto const now = parsed(s->rows(what.group, by));
    for (auto const& c : what.changes) {
      must_not_have_moved(c, now, what.may_be_alive);
      auto const to = counts_.stored(c.after);
      bool const there = std::any_of(now.begin(), now.end(), [&](auto const& p) { return p.of == c.of; });
      if (!there)
        s->insert(what.group, c.of, to, by);
      else if (auto const n = s->update(what.group, c.of, to, by); n != 1)
        throw failure{name() + ": " + to_string(c.of) + ": " + std::to_string(n) + " rows would change, not one"};
    }
    s->commit(by);
    return {.why = std::vector<std::string>(what.changes.size()), .local_id = {}};
  }

 private:
  store_words words_;
  table_names names_;
  std::string name_;
  counting counts_;
  opener open_;

  std::vector<sl::kept_position> parsed(std::vector<table_session::row> const& rows) const {
    std::vector<sl::kept_position> all;
    for (auto const& [topic, partition, offset] : rows) {
      sl::topic_partition const of{topic.value_or(""), partition_in(partition.value_or("null"), name())};
      if (of.topic.empty()) throw failure{name() + ": found a row without a topic"};
      all.push_back({.of = of, .next = counts_.next(offset.value_or("null"), name() + ", " + to_string(of))});
    }
    return each_once(std::move(all), name());
  }
};

}  // namespace offsets_tool
