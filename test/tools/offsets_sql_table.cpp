// How sluice-offsets writes into a table of somebody else's, which knows no fence.
#include "offsets/sql_table.hpp"

#include "catch.hpp"

namespace tool = offsets_tool;
namespace sl = sluice;
using sl::offset;

namespace {

/// What a database holds, and what was done to it; undone where there was no commit.
struct database {
  std::vector<tool::table_session::row> rows{};
  bool committed = false;
  int rows_of_an_update = 1;
};
database* now = nullptr;

class session final : public tool::table_session {
  std::vector<row> rows_ = now->rows;

  row* find(sl::topic_partition const& of) {
    for (auto& r : rows_)
      if (r[0] == of.topic && r[1] == std::to_string(of.partition)) return &r;
    return nullptr;
  }

 public:
  void begin(sl::time_point) override {}
  std::vector<row> rows(std::string const&, sl::time_point) override { return rows_; }
  int update(std::string const&, sl::topic_partition const& of, std::int64_t to, sl::time_point) override {
    find(of)->at(2) = std::to_string(to);
    return now->rows_of_an_update;
  }
  void insert(std::string const&, sl::topic_partition const& of, std::int64_t to, sl::time_point) override {
    rows_.push_back({of.topic, std::to_string(of.partition), std::to_string(to)});
  }
  void commit(sl::time_point) override {
    now->rows = rows_;
    now->committed = true;
  }
};

struct theirs {
  database holds{{{"orders", "0", "5"}, {"orders", "1", "7"}}};
  tool::sql_table table;
  explicit theirs(std::string const& counts = "next")
      : table({.table = "t", .columns = "topic,part,at", .stored_offset_is = counts}, "here",
              [](auto const&, auto const&, auto, auto) -> std::unique_ptr<tool::table_session> {
                return std::make_unique<session>();
              }) {
    now = &holds;
  }
  tool::order order(std::vector<tool::change> changes) const { return {.group = "g", .changes = std::move(changes)}; }
};

}  // namespace

TEST_CASE("all or nothing: a row that has changed since, or is there twice, is left as it is") {
  theirs t;
  auto changes = t.order({{.of = {"orders", 0}, .before = offset{5}, .after = offset{1}},
                          {.of = {"orders", 1}, .before = offset{6}, .after = offset{1}}});
  CHECK_THROWS_AS(t.table.write(changes, {}), tool::refusal);
  changes.changes[1].before.reset();
  CHECK_THROWS_AS(t.table.write(changes, {}), tool::refusal);
  CHECK_FALSE(t.holds.committed);
  changes.may_be_alive = true;
  t.holds.rows_of_an_update = 2;
  CHECK_THROWS_AS(t.table.write(changes, {}), tool::failure);
  CHECK_FALSE(t.holds.committed);
  t.holds.rows_of_an_update = 1;
  CHECK(t.table.write(changes, {}).why == std::vector<std::string>{"", ""});
  CHECK(t.holds.rows[1][2] == "1");
}

TEST_CASE("the last offset is one less than the next") {
  theirs t{"last"};
  CHECK(t.table.read("g", {})[0].next == offset{6});
  t.table.write(t.order({{.of = {"orders", 0}, .before = offset{6}, .after = offset{0}},
                         {.of = {"clicks", 0}, .after = offset{9}}}),
                {});
  CHECK(t.holds.rows[0][2] == "-1");
  CHECK(t.holds.rows[2][2] == "8");
  CHECK(t.table.read("g", {})[1].next == offset{0});
}
