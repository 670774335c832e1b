#include <sluice/window/over_batches.hpp>

#include "seed.hpp"
#include "state/kept_counts.hpp"
#include "state/state_cases.hpp"

namespace {

using namespace kept_counts;
using tx_t = sl::sqlite_transaction;
using fixture = state_cases::claimed_store<sqlite_fixture>;
using ms = std::chrono::milliseconds;

sl::wall_time at(std::int64_t second) { return sl::wall_time{std::chrono::seconds{second}}; }

/// Batches of one second, made by hand: what handlers are given, and what they gave.
struct by_hand {
  sqlite_fixture f{};
  fixture s{f};
  std::deque<sl::detail::part> parts{};

  /// Records of orders/0 and orders/1 by key; both partitions are in the batch, and `only` says otherwise.
  template <class Handler>
  void turn(Handler& handler, std::int64_t second, std::vector<std::string> const& first,
            std::vector<std::string> const& second_keys = {}, int only = -1, bool more = false, ms interval = 1s,
            bool commits = true) {
    std::deque<made> records;
    std::vector<sl::detail::message> messages;
    std::vector<sl::detail::part> all;
    for (auto const* keys : {&first, &second_keys})
      for (auto const& k : *keys) records.push_back({next_++, k, k});
    for (auto const& r : records)
      messages.push_back({r.key->data(), r.value->data(), static_cast<std::uint32_t>(r.key->size()),
                          static_cast<std::uint32_t>(r.value->size()), r.at, &r});
    auto const* begin = messages.data();
    std::vector<std::pair<int, std::size_t>> order{{0, first.size()}, {1, second_keys.size()}};
    if (first.empty()) std::swap(order[0], order[1]);
    for (auto const& [p, n] : order) {
      if (only >= 0 && p != only) continue;
      all.push_back({begin, begin + n, {{"orders", p}, {}, {}, 1}, &held::access});
      begin += n;
    }
    s.transact([&](tx_t& tx) { handler(sl::batch{all, at(second), interval, more}, tx); }, commits);
  }

 private:
  std::int64_t next_ = 0;
};

struct given {
  std::int64_t end = 0;
  counts_by_key counts{};
  friend bool operator==(given const&, given const&) = default;
  friend std::ostream& operator<<(std::ostream& to, given const& g) {
    to << g.end << ":";
    for (auto const& [k, n] : g.counts) to << ' ' << k << '=' << n;
    return to;
  }
};

auto const one = [](sl::record) { return std::int64_t{1}; };

auto into(std::vector<given>& out) {
  return [&out](sl::window_span const& span, auto const& results) {
    given g{span.end.time_since_epoch().count() / 1000, {}};
    for (auto const& [key, n] : results) g.counts[key] += n;
    if (!out.empty() && out.back().end == g.end)
      for (auto const& [key, n] : g.counts) out.back().counts[key] += n;
    else
      out.push_back(std::move(g));
  };
}
auto counted(std::vector<given>& out, sl::batch_window w, bool) {
  return sl::reduce_by_key_and_window(std::move(w), key_of, one, std::plus<>{}, into(out));
}
auto counted(std::vector<given>& out, sl::batch_window w) {
  return sl::reduce_by_key_and_window(std::move(w), key_of, one, std::plus<>{}, std::minus<>{}, into(out));
}

/// With restarts, rollbacks, late and cut batches, partitions that move.
void windows_agree_with_a_naive_reference(int streams) {
  std::mt19937 random{seed()};
  for (int stream = 0; stream < streams; ++stream) {
    by_hand b;
    std::vector<given> out, wanted;
    auto const slide = 1 + static_cast<int>(random() % 3), size = slide + static_cast<int>(random() % 5);
    sl::batch_window const w{.name = "w", .size = std::chrono::seconds{size}, .slide = std::chrono::seconds{slide}};
    auto with_inverse = counted(out, w);
    auto without = counted(out, w, false);
    bool const inverse = random() % 2;
    struct seen {
      std::int64_t pane;
      std::string key;
    };
    std::vector<seen> records;
    std::int64_t now = 1000, last_given = (now / slide) * slide;
    std::vector<std::int64_t> ends;
    for (int i = 0; i < 30; ++i) {
      now += random() % 4 == 0 ? 1 + random() % 3 : 1;
      bool const cut = random() % 5 == 0;
      for (int piece = cut ? 0 : 1; piece < 2; ++piece) {
        std::vector<std::string> first, second;
        for (auto n = random() % 4; n > 0; --n) first.emplace_back(1, static_cast<char>('a' + random() % 3));
        for (auto n = random() % 3; n > 0; --n) second.emplace_back(1, static_cast<char>('a' + random() % 3));
        if (random() % 6 == 0) {  // what was given in vain is no part of what was given
          auto const before = out;
          if (inverse)
            b.turn(with_inverse, now, first, second, -1, piece == 0, 1s, false);
          else
            b.turn(without, now, first, second, -1, piece == 0, 1s, false);
          out = before;
        }
        if (random() % 8 == 0) {  // the process begins anew
          if (inverse)
            std::destroy_at(&with_inverse), std::construct_at(&with_inverse, counted(out, w));
          else
            std::destroy_at(&without), std::construct_at(&without, counted(out, w, false));
        }
        if (inverse)
          b.turn(with_inverse, now, first, second, -1, piece == 0);
        else
          b.turn(without, now, first, second, -1, piece == 0);
        for (auto const* keys : {&first, &second})
          for (auto const& k : *keys) records.push_back({now, k});
      }
    }
    auto const final = now;
    for (auto end = last_given + slide; end <= final; end += slide) {
      given g{end, {}};
      for (auto const& r : records)
        if (r.pane > end - size && r.pane <= end) ++g.counts[r.key];
      wanted.push_back(std::move(g));
    }
    std::erase_if(wanted, [](given const& g) { return g.counts.empty(); });
    std::erase_if(out, [](given const& g) { return g.counts.empty(); });
    CAPTURE(stream, size, slide, inverse);
    REQUIRE(out == wanted);
  }
}

}  // namespace

TEST_CASE("counts over five seconds every two") {
  by_hand b;
  std::vector<given> out;
  auto h = counted(out, {.name = "w", .size = 5s, .slide = 2s});
  b.turn(h, 101, {"a"});
  b.turn(h, 102, {"a", "b"});
  b.turn(h, 103, {}, {"a"});
  b.turn(h, 104, {});
  b.turn(h, 105, {"c"});
  b.turn(h, 106, {});
  b.turn(h, 107, {});
  b.turn(h, 108, {});
  b.turn(h, 109, {});
  b.turn(h, 110, {});
  CHECK(out == std::vector<given>{{102, {{"a", 2}, {"b", 1}}},
                                  {104, {{"a", 3}, {"b", 1}}},
                                  {106, {{"a", 2}, {"b", 1}, {"c", 1}}},
                                  {108, {{"c", 1}}},
                                  {110, {}}});
}

TEST_CASE("windows against a naive reference on random streams") { windows_agree_with_a_naive_reference(40); }
TEST_CASE("windows against a naive reference on very many streams", "[.long]") {
  windows_agree_with_a_naive_reference(25'000);
}

TEST_CASE("a partition's part of each window is given once, by whoever has it then") {
  by_hand b;
  std::vector<given> mine, others;
  sl::batch_window const w{.name = "w", .size = 4s, .slide = 2s};
  auto h = counted(mine, w), other = counted(others, w);
  b.turn(h, 101, {"a"}, {"a", "a"});
  b.turn(h, 102, {});
  b.turn(other, 103, {}, {"b"}, 1);  // orders/1 has moved
  b.turn(h, 104, {"a"}, {}, 0);
  b.turn(other, 104, {}, {}, 1);
  b.turn(h, 105, {}, {});  // and back
  b.turn(h, 106, {});
  CHECK(mine == std::vector<given>{{102, {{"a", 3}}}, {104, {{"a", 2}}}, {106, {{"a", 1}, {"b", 1}}}});
  CHECK(others == std::vector<given>{{104, {{"a", 2}, {"b", 1}}}});
}

TEST_CASE("nothing is left in the store of what has left the window") {
  by_hand b;
  std::vector<given> out;
  auto h = counted(out, {.name = "w", .size = 3s, .slide = 1s});
  for (int i = 0; i < 20; ++i) b.turn(h, 100 + i, {"a", "b"}, {"c"});
  CHECK(b.f.look("select count(*) from sluice_offsets_state where hex(\"key\") like '6B%'") ==
        std::vector<std::string>{"9"});
  for (int i = 20; i < 24; ++i) b.turn(h, 100 + i, {});
  CHECK(b.f.look("select count(*) from sluice_offsets_state where hex(\"key\") like '6B%'") ==
        std::vector<std::string>{"0"});
  CHECK(out.size() == 24);
}

TEST_CASE("panes of a partition that has moved away are forgotten a window later, and read again when it comes back") {
  by_hand b;
  std::vector<given> out, others;
  sl::batch_window const w{.name = "w", .size = 4s, .slide = 2s};
  auto h = counted(out, w), other = counted(others, w);
  b.turn(h, 101, {"a"}, {"b"});
  b.turn(h, 102, {"a"}, {"b"});
  CHECK(h.partitions_in_memory() == 2);
  for (int i = 103; i <= 107; ++i) {
    b.turn(h, i, {"a"}, {}, 0);
    b.turn(other, i, {}, {"c"}, 1);
    CHECK(h.partitions_in_memory() == 2);
  }
  b.turn(h, 108, {"a"}, {}, 0);
  b.turn(other, 108, {}, {"c"}, 1);
  CHECK(h.partitions_in_memory() == 1);
  CHECK(other.partitions_in_memory() == 1);
  b.turn(h, 109, {}, {});
  b.turn(h, 110, {}, {});
  CHECK(h.partitions_in_memory() == 2);
  CHECK(out.back() == given{110, {{"a", 2}, {"c", 2}}});
  b.turn(h, 31'536'110, {}, {}, 0);  // the clock leaps, and the other partition does not come
  CHECK(h.partitions_in_memory() == 1);
}

TEST_CASE("clocks that jump lose no record and stop no window") {
  by_hand b;
  std::vector<given> out;
  auto h = counted(out, {.name = "w", .size = 2s, .slide = 2s});
  b.turn(h, 101, {"a"});
  b.turn(h, 102, {"a"});
  SECTION("back a little: it waits for the next window") {
    b.turn(h, 101, {"b"});
    b.turn(h, 102, {"b"});
    b.turn(h, 103, {"b"});
    b.turn(h, 104, {"b"});
    CHECK(out == std::vector<given>{{102, {{"a", 2}}}, {104, {{"b", 4}}}});
  }
  SECTION("ahead by a year, and back") {
    b.turn(h, 31'536'103, {"b"});
    b.turn(h, 103, {"b"});
    b.turn(h, 104, {"b"});
    b.turn(h, 106, {"c"});
    CHECK(out == std::vector<given>{{102, {{"a", 2}}}, {104, {{"b", 3}}}, {106, {{"c", 1}}}});
  }
  SECTION("back by more than a window, and nothing of it was stored") {
    b.turn(h, 51, {}, {}, -1, false, 1s, false);
    b.turn(h, 103, {"b"});
    b.turn(h, 104, {"b"});
    CHECK(out == std::vector<given>{{102, {{"a", 2}}}, {104, {{"b", 2}}}});
  }
  SECTION("before 1970") {
    b.turn(h, -1001, {"b"});
    b.turn(h, -1000, {"b"});
    CHECK(out.back() == given{-1000, {{"a", 1}, {"b", 2}}});  // the newest batch stays so
  }
}

TEST_CASE("shapes that can't be are told, with the remedy") {
  std::vector<given> out;
  CHECK_THAT(error_of([&] { (void)counted(out, {.name = "w", .size = 2s, .slide = 3s}); }).text,
             ContainsSubstring(".sampling = true"));
  CHECK_NOTHROW(counted(out, {.name = "w", .size = 2s, .slide = 3s, .sampling = true}));
  CHECK(error_of([&] { (void)counted(out, {.name = "w"}); }).code == sl::errc::bad_configuration);
  CHECK(error_of([&] { (void)counted(out, {.name = "w w", .size = 2s}); }).code == sl::errc::bad_configuration);
  CHECK(error_of([&] { (void)counted(out, {.name = "w", .size = 2s, .slide = -1s}); }).code ==
        sl::errc::bad_configuration);
  by_hand b;
  auto odd = counted(out, {.name = "w", .size = 5s, .slide = 2500ms});
  auto const e = error_of([&] { b.turn(odd, 100, {"a"}); });
  CHECK(e.of_store);
  CHECK_THAT(e.text, ContainsSubstring("batch_window \"w\"") && ContainsSubstring("2500 ms") &&
                         ContainsSubstring("multiples of micro_batch.interval, which is 1000 ms"));
  CHECK_THAT(error_of([&] { b.turn(odd, 100, {"a"}, {}, -1, false, 0ms); }).text, ContainsSubstring("set it"));
}

TEST_CASE("a program with another batch interval goes on with the panes that are there") {
  by_hand b;
  std::vector<given> out;
  auto const program = [&] { return counted(out, {.name = "w", .size = 4s, .slide = 2s}); };
  auto slow = program();
  b.turn(slow, 100, {"a", "b"}, {}, -1, false, 2s);
  b.turn(slow, 102, {"a"}, {}, -1, false, 2s);
  auto wrong = program();
  auto const e = error_of([&] { b.turn(wrong, 105, {"a"}, {}, -1, false, 3s); });
  CHECK_THAT(e.text, ContainsSubstring("multiples of micro_batch.interval, which is 3000 ms"));
  auto quick = program();
  b.turn(quick, 103, {"a"}, {}, -1, false, 1s);
  b.turn(quick, 104, {"b"}, {}, -1, false, 1s);
  CHECK(out ==
        std::vector<given>{{100, {{"a", 1}, {"b", 1}}}, {102, {{"a", 2}, {"b", 1}}}, {104, {{"a", 2}, {"b", 1}}}});
}

TEST_CASE("two operators of one name are told") {
  by_hand b;
  std::vector<given> out;
  counter state{.name = "w"};
  auto count = sl::update_state_by_key(state, key_of, add);
  auto h = counted(out, {.name = "w", .size = 1s});
  b.turn(count, 100, {"a"});
  auto const e = error_of([&] { b.turn(h, 101, {"a"}); });
  CHECK(e.code == sl::errc::bad_configuration);
  CHECK(e.of_store);
  CHECK_THAT(e.text, ContainsSubstring("state \"w\"") && ContainsSubstring("values by key") &&
                         ContainsSubstring("a window over batches") && ContainsSubstring("a .name of its own"));
  b.turn(count, 102, {"a"});
  CHECK(out.empty());
}

TEST_CASE("a slide above the size samples") {
  by_hand b;
  std::vector<given> out;
  auto h = counted(out, {.name = "w", .size = 1s, .slide = 3s, .sampling = true});
  for (int i = 1; i <= 6; ++i) b.turn(h, 300 + i, {std::to_string(i)});
  CHECK(out == std::vector<given>{{303, {{"3", 1}}}, {306, {{"6", 1}}}});
}

TEST_CASE("whole streams: count_by_window says 0 too, reduce_by_window nothing; count_by_key_and_window") {
  by_hand b;
  std::vector<std::int64_t> counts;
  std::vector<std::string> joined;
  auto count = sl::count_by_window({.name = "n", .size = 2s, .slide = 1s}, [&](auto const&, std::int64_t n, tx_t& tx) {
    counts.push_back(n);
    tx.execute("create table if not exists counts (n integer)");
    tx.execute("insert into counts values (?)", n);
  });
  auto join = sl::reduce_by_window(
      {.name = "j", .size = 2s, .slide = 1s}, key_of, [](std::string a, std::string const& c) { return a + c; },
      [&](auto const&, std::optional<std::string> const& all) { joined.push_back(all.value_or("-")); });
  std::vector<std::vector<std::pair<std::string, std::int64_t>>> each;
  auto of_each = sl::count_by_key_and_window({.name = "e", .size = 2s, .slide = 1s}, key_of,
                                             [&](auto const&, auto const& all) { each.push_back(all); });
  std::vector<std::vector<std::string>> const batches{{"a"}, {"b", "b"}, {}, {}, {"d"}};
  for (std::size_t i = 0; i < batches.size(); ++i) {
    b.turn(count, 100 + static_cast<int>(i), batches[i]);
    b.turn(join, 100 + static_cast<int>(i), batches[i]);
    b.turn(of_each, 100 + static_cast<int>(i), batches[i]);
    std::sort(each.back().begin(), each.back().end());
  }
  CHECK(counts == std::vector<std::int64_t>{1, 3, 2, 0, 1});
  CHECK(joined == std::vector<std::string>{"a", "abb", "bb", "-", "d"});
  CHECK(each == decltype(each){{{"a", 1}}, {{"a", 1}, {"b", 2}}, {{"b", 2}}, {}, {{"d", 1}}});
  CHECK(b.f.look("select n from counts") == std::vector<std::string>{"1", "3", "2", "0", "1"});
}

TEST_CASE("in a consumer: windows move while nothing arrives, and survive the process") {
  outside_with_file o{2};
  std::vector<given> out;
  sl::batch_window const w{.name = "w", .size = 3s, .slide = 1s};
  {
    auto h = counted(out, w);
    auto c = o.consumer(sl::micro_batch{.interval = 1s});
    o.world.assign({p0, p1});
    o.world.produce(p0, "v", "a");
    o.world.produce(p1, "v", "a");
    steps(c, h, 2);
  }
  REQUIRE(out.size() >= 1);
  CHECK(out.back().counts == counts_by_key{{"a", 2}});
  auto h = counted(out, w, false);
  auto c = o.consumer(sl::micro_batch{.interval = 1s});
  o.world.assign({p0, p1});
  steps(c, h, 6);
  std::erase_if(out, [](given const& g) { return g.counts.empty(); });
  CHECK(out.size() == 3);
  CHECK(out.back().counts == counts_by_key{{"a", 2}});
  CHECK(out.back().end == out.front().end + 2);
}

TEST_CASE("what emit throws names the window; with skip all is set aside until it works, and that is told") {
  outside_with_file o{1};
  bool broken = true;
  std::vector<std::int64_t> out;
  auto h = sl::count_by_window({.name = "w", .size = 1s}, [&](auto const&, std::int64_t n) {
    if (broken) throw std::runtime_error("no room for results");
    out.push_back(n);
  });
  std::vector<std::string> told;
  struct listener {
    using slot = sl::observer_slot;
    std::vector<std::string>* told;
    void on_dead_letter(sl::dead_letter_event const& e) { told->push_back(e.letter.error); }
  };
  auto c = o.consumer(sl::skip{}, sl::micro_batch{.interval = 1s}, listener{&told});
  o.world.assign({p0});
  for (int i = 0; i < 2; ++i) {
    o.world.produce(p0, "v", "a");
    steps(c, h, 2);
  }
  REQUIRE(told.size() == 2);
  CHECK_THAT(told[0], ContainsSubstring("batch_window \"w\"") && ContainsSubstring("no room for results") &&
                          ContainsSubstring("every batch fails until"));
  CHECK(c.statistics().skipped == 2);
  broken = false;
  o.world.produce(p0, "v", "a");
  steps(c, h, 2);
  CHECK(std::count(out.begin(), out.end(), 1) == 1);
  CHECK(told.size() == 2);

  by_hand b;
  auto throws = sl::count_by_window({.name = "w", .size = 1s}, [](auto const&, std::int64_t) { throw 7; });
  try {
    b.turn(throws, 100, {"a"});
    FAIL("nothing was thrown");
  } catch (sl::error const& e) {
    CHECK(e.code() == sl::errc::handler_failed);
    CHECK_THROWS_AS(std::rethrow_if_nested(e), int);
  }
  auto in_store = sl::count_by_window({.name = "w", .size = 1s}, [](auto const&, std::int64_t) {
    throw sl::store_error(sl::errc::store_full, "no room");
  });
  CHECK(error_of([&] { b.turn(in_store, 101, {"a"}); }).code == sl::errc::store_full);
}
