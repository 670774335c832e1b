// What state looks like in SQLite: every later version reads it.
#include <sluice/state/sqlite.hpp>
#include <sluice/window/over_batches.hpp>
#include <sluice/window/over_event_time.hpp>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <iterator>

#include "offset_store/sqlite_support.hpp"
#include "state_cases.hpp"

namespace {

using fixture = state_cases::claimed_store<sqlite_fixture>;
using tx_t = sl::sqlite_transaction;

std::string golden(int version) {
  return std::string{SLUICE_SOURCE_DIR} + "/test/golden/sqlite_state.v" + std::to_string(version) + ".sql";
}
constexpr int newest = 2;  // 1: marks don't say what kind of operator the state is of

struct visit {
  std::int64_t count = 0;
  std::string last{};
};

/// A second of a program with state of every kind; what it was told.
struct program {
  sl::keyed_state<std::string, visit> visits{.name = "visits", .timeout = std::chrono::seconds{60}};
  std::vector<std::string> told{};

  static std::string_view key(sl::record r) { return r.key_text(); }
  static std::int64_t one(sl::record) { return 1; }

  void turn(fixture& s, std::int64_t second, std::vector<made> const& records) {
    auto const say = [this](std::string const& what, auto const& span, std::string const& k, std::int64_t n) {
      told.push_back(what + std::to_string(span.end.time_since_epoch().count()) + " " + k + "=" + std::to_string(n));
    };
    auto over_batches = sl::reduce_by_key_and_window(
        {.name = "last_three", .size = std::chrono::seconds{3}, .slide = std::chrono::seconds{1}}, key, one,
        std::plus<>{}, [&](sl::window_span const& span, auto const& results) {
          for (auto const& [k, n] : results) say("batches ", span, k, n);
        });
    auto over_time = sl::reduce_by_key_and_event_window(
        {.name = "by_time", .size = std::chrono::seconds{10}, .allowed_lateness = std::chrono::seconds{5}},
        [](sl::record r) { return sl::wall_time{std::chrono::milliseconds{std::stoll(std::string{r.text()})}}; }, key,
        one, std::plus<>{},
        [&](sl::window_span const& span, std::string const& k, std::int64_t n) { say("time ", span, k, n); });
    s.transact([&](tx_t& tx) {
      held h;
      h.part("orders", 0, records);
      auto const b = h.batch(sl::wall_time{std::chrono::seconds{second}}, std::chrono::seconds{1});
      visits.update(b, tx, key, [](auto news, std::optional<visit>& v) {
        if (!v) v.emplace();
        v->count += std::ssize(news);
        v->last = news.back().text();
      });
      over_batches(b, tx);
      over_time(b, tx);
    });
  }
};

}  // namespace

template <>
struct sluice::codec<visit> : sluice::members_of<&visit::count, &visit::last> {};

TEST_CASE("state in SQLite is what it was, and goes on") {
  sqlite_fixture f;
  fixture s{f};
  std::vector<std::vector<made>> const batches{{{0, "a", "1000"}, {1, "b", "2000"}, {2, "a", "9000"}},
                                               {{3, "b", "12000"}, {4, "a", "3000"}},
                                               {{5, "a", "20000"}}};
  auto const written = [&] {
    program p;
    for (std::size_t i = 0; i < batches.size(); ++i) p.turn(s, 98 + static_cast<std::int64_t>(i), batches[i]);
  };
  auto const rows_of = [&] {
    return f.look(
        "select name, topic, partition, hex(\"key\"), case hex(\"key\") when '6D' then substr(hex(value), 1, 4) || '-' "
        "|| substr(hex(value), 21) else hex(value) end, due from sluice_offsets_state order by 1, 3, 4");
  };
  if (std::getenv("SLUICE_WRITE_GOLDEN")) {  // for a new format: an old file is never written again
    written();
    std::ofstream out{golden(newest)};
    for (auto const& line :
         f.look("select 'insert into sluice_offsets_state values (' || quote(grp) || ', ' || quote(name) || ', ' || "
                "quote(topic) || ', ' || partition || ', ' || quote(\"key\") || ', ' || quote(value) || ', ' || "
                "quote(due) "
                "|| ');' from sluice_offsets_state order by name, partition, \"key\""))
      out << line << '\n';
    return;
  }
  auto const version = GENERATE(range(1, newest + 1));
  CAPTURE(version);
  std::ifstream in{golden(version)};
  std::string const then{std::istreambuf_iterator<char>{in}, {}};
  REQUIRE_FALSE(then.empty());
  SECTION("what is written now is what was written then, but for the stamps") {
    if (version != newest) return;
    written();
    auto const now = rows_of();
    f.look("delete from sluice_offsets_state");
    f.look(then);
    CHECK(rows_of() == now);
    CHECK(now.size() > 8);
  }
  SECTION("what was written then is read now") {
    s.transact([](tx_t& tx) { sl::detail::state_store<tx_t>{tx, "x"}; });
    f.look(then);
    program p;
    p.turn(s, 101, {{6, "b", "12500"}, {7, "a", "26000"}});
    p.turn(s, 102, {{8, "a", "40000"}});
    std::sort(p.told.begin(), p.told.end());
    CHECK(p.told == std::vector<std::string>{"batches 101000 a=3", "batches 101000 b=2", "batches 102000 a=3",
                                             "batches 102000 b=1", "time 20000 b=2", "time 30000 a=2"});
  }
}
