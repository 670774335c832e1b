#include <sluice/offset_store/checkpoint_transaction.hpp>

#include "segments_in_memory.hpp"

using namespace in_memory;

namespace {

/// Transactions one after the other, each a segment.
struct committed {
  place p{};
  open_segments open{p, 100'000};
  std::vector<segment_ref> refs{};
  sl::checkpoint_generation base{};
  row_changes const nothing{};
  transaction_rows rows{};

  void begin() {
    REQUIRE(open.follow(refs));
    rows.begin(base, open, nothing, "g");
  }
  void commit() {
    refs.push_back(p.put(rows.changes()));
    rows.clear();
  }
};
sl::topic_partition const t0{"t", 0}, t1{"t", 1}, u0{"u", 0};

}  // namespace

TEST_CASE("rows of many partitions are asked for in any order, and answered by where they stood") {
  committed c;
  c.begin();
  c.rows.write("s", std::vector<state_row>{{.of = &t1, .key = "a", .value = "t1a"},
                                           {.of = &t0, .key = "b", .value = "t0b"},
                                           {.of = &t1, .key = "b", .value = "t1b"},
                                           {.of = &u0, .key = "a", .value = "u0a"}});
  c.commit();
  c.begin();
  c.rows.write(
      "s", std::vector<state_row>{{.of = &t1, .key = "b", .there = false}, {.of = &u0, .key = "z", .value = "u0z"}});
  std::vector<state_row> const keys{{.of = &u0, .key = "z"}, {.of = &t1, .key = "b"}, {.of = &t0, .key = "b"},
                                    {.of = &t1, .key = "a"}, {.of = &t0, .key = "a"}, {.of = &u0, .key = "a"},
                                    {.of = &t1, .key = "a"}};
  std::vector<std::string> found(keys.size(), "-");
  c.rows.read("s", keys, [&](std::size_t i, std::string_view value, std::int64_t) { found[i] = value; });
  CHECK(found == std::vector<std::string>{"u0z", "-", "t0b", "t1a", "-", "u0a", "t1a"});
  CHECK(c.rows.touched().size() == 3);
}

TEST_CASE("a value that no segment could hold is the handler's mistake") {
  committed c;
  c.begin();
  std::string const large(longest_state_value + 1, 'x');
  auto const e = error_of([&] { c.rows.write("s", std::vector<state_row>{{.of = &t0, .key = "a", .value = large}}); });
  CHECK(e.code == sl::errc::bad_statement);
  CHECK_THAT(e.text, ContainsSubstring("no more than 256 MiB"));
}

TEST_CASE("what is due is what a plain map would say, whatever the clock does") {
  std::mt19937 random{seed()};
  for (int round = 0; round < 20; ++round) {
    committed c;
    std::map<std::string, std::int64_t> wanted;
    for (int turn = 0; turn < 60; ++turn) {
      c.begin();
      auto const saved = wanted;
      bool const undone = random() % 5 == 0;
      if (undone) c.rows.savepoint();
      for (auto n = random() % 6; n > 0; --n) {
        auto const key = "k" + std::to_string(random() % 15);
        state_row row{.of = &t0, .key = key, .value = "v"};
        if (random() % 4 == 0) {
          row.there = false;
          wanted.erase(key);
        } else {
          row.due = static_cast<std::int64_t>(random() % 50) - 10 + (random() % 10 ? turn : -1000);
          if (random() % 6 == 0) row.due = never;
          wanted[key] = row.due;
        }
        c.rows.write("s", std::vector<state_row>{row});
      }
      auto const until = static_cast<std::int64_t>(random() % 60) - (random() % 10 ? 0 : 500);
      auto const most = 1 + random() % 4;
      for (bool again = true; again;) {
        std::vector<std::pair<std::int64_t, std::string>> due, found;
        for (auto const& [key, when] : wanted)
          if (when <= until) due.emplace_back(when, key);
        std::sort(due.begin(), due.end());
        if (due.size() > most) due.resize(most);
        c.rows.due("s", t0, until, most, [&](std::string_view key, std::string_view value, std::int64_t when) {
          CHECK(value == "v");
          found.emplace_back(when, std::string{key});
        });
        REQUIRE(found == due);
        again = found.size() == most;
        // Handled: removed, but for some that are put off.
        for (auto const& [when, key] : found) {
          state_row row{.of = &t0, .key = key, .there = false};
          wanted.erase(key);
          if (random() % 5 == 0) row = {.of = &t0, .key = key, .value = "v", .due = wanted[key] = until + 1};
          c.rows.write("s", std::vector<state_row>{row});
        }
      }
      if (undone) {
        c.rows.rollback_to_savepoint();
        wanted = saved;
      }
      if (random() % 4) {
        c.commit();
      } else {
        wanted = saved;
        c.rows.clear();
        // What was there before this turn.
      }
      if (undone) wanted = saved;
    }
  }
}

TEST_CASE("due times that have been handled are not walked over again") {
  committed c;
  std::string last;
  for (int turn = 0; turn < 100; ++turn) {
    c.begin();
    for (int i = 0; i < 50; ++i) {
      auto const key = "k" + std::to_string(turn * 50 + i);
      c.rows.write("s", std::vector<state_row>{{.of = &t0, .key = key, .value = "v", .due = turn + 1}});
    }
    std::vector<std::string> keys;
    c.rows.due("s", t0, turn, 1000,
               [&](std::string_view key, std::string_view, std::int64_t) { keys.emplace_back(key); });
    CHECK(keys.size() == (turn ? 50u : 0u));
    for (auto const& key : keys) c.rows.write("s", std::vector<state_row>{{.of = &t0, .key = key, .there = false}});
    c.rows.due("s", t0, turn, 1000, [&](auto const&...) { FAIL(); });
    c.commit();
  }
  REQUIRE(c.open.follow(c.refs));
  auto dues = table("t");
  dues.kind = table_key::dues;
  auto const floor = row_view{c.open, {}}.find(dues, {});
  REQUIRE(floor);
  CHECK(due_of(floor->value) >= 98);
}
