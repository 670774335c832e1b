#include <sluice/output/print.hpp>

#include <sluice/window/over_batches.hpp>

#include <map>
#include <optional>
#include <sstream>

#include "catch.hpp"
#include "some_records.hpp"

using namespace std::chrono_literals;

namespace {

std::string printed(sl::print how, sl::batch const& b) {
  std::ostringstream out;
  how.out = &out;
  how(b);
  return out.str();
}
sl::batch at(some_records const& r, std::int64_t ms) {
  return {{&r.part(), 1}, sl::wall_time{std::chrono::milliseconds{ms}}};
}

}  // namespace

TEST_CASE("the time of a batch and its first records are printed") {
  some_records r{{"orders", 0}};
  for (int i = 0; i < 12; ++i) r.add(i, "k", std::to_string(i));
  std::string const head =
      "-------------------------------------------\nTime: 1700000000000 ms\n"
      "-------------------------------------------\n";
  CHECK(printed({}, at(r, 1'700'000'000'000)) == head + "0\n1\n2\n3\n4\n5\n6\n7\n8\n9\n...\n\n");
  CHECK(printed({.most = 12}, at(r, 1'700'000'000'000)) == head + "0\n1\n2\n3\n4\n5\n6\n7\n8\n9\n10\n11\n\n");
  CHECK(printed({.most = 0}, at(r, 1'700'000'000'000)) == head + "...\n\n");
  CHECK(printed({}, sl::batch{{}, sl::wall_time{std::chrono::milliseconds{1'700'000'000'000}}}) == head + "\n");
}

TEST_CASE("what a record holds can't disturb a terminal, nor fill it") {
  some_records r{{"orders", 0}};
  r.add(1, "k", "a\x1b[31mé\n").add(2, "k", std::nullopt).add(3, "k", std::string(2000, 'x'));
  auto const text = printed({}, at(r, 0));
  CHECK_THAT(text, ContainsSubstring("\na\\x1b[31mé\\x0a\n(null)\n" + std::string(1000, 'x') + "…\n"));
}

TEST_CASE("what is printed of a record may be chosen") {
  some_records r{{"orders", 0}};
  r.add(7, "k", "v");
  CHECK_THAT(
      printed({.format = [](sl::record one) { return std::string(one.key_text()) + "=" + std::string(one.text()); }},
              at(r, 0)),
      ContainsSubstring("\nk=v\n"));
}

TEST_CASE("it goes beside a transaction, which it leaves alone") {
  some_records r{{"orders", 0}};
  r.add(7, "k", "v");
  std::ostringstream out;
  int tx = 0;
  sl::print{.out = &out}(at(r, 0), tx);
  CHECK_THAT(out.str(), ContainsSubstring("\nv\n"));
}

TEST_CASE("results are printed likewise: pairs, single ones, and none") {
  std::ostringstream out;
  sl::print const how{.most = 2, .out = &out, .longest = 12};
  auto const head = [](std::string const& time) {
    std::string const line(43, '-');
    return line + "\nTime: " + time + " ms\n" + line + "\n";
  };
  auto const printed = [&](auto const& of, auto const& results) {
    out.str("");
    how(of, results);
    return out.str();
  };
  sl::wall_time const at{2000ms};
  using pairs = std::vector<std::pair<std::string, int>>;
  CHECK(printed(at, pairs{{"a", 1}, {"b\x1b", 2}, {"c", 3}}) == head("2000") + "(a,1)\n(b\\x1b,2)\n...\n\n");
  CHECK(printed(at, pairs{{"abcdefghijk", 1}}) == head("2000") + "(abcdefghijk…\n\n");
  CHECK(printed(at, pairs{}) == head("2000") + "\n");
  CHECK(printed(at, std::map<int, int>{{1, 2}}) == head("2000") + "(1,2)\n\n");
  CHECK(printed(at, std::vector<int>{7}) == head("2000") + "7\n\n");
  CHECK(printed(at, std::int64_t{7}) == head("2000") + "7\n\n");
  CHECK(printed(at, std::string{"text"}) == head("2000") + "text\n\n");
  CHECK(printed(at, std::optional{7}) == head("2000") + "7\n\n");
  CHECK(printed(at, std::optional<int>{}) == head("2000") + "\n");
  CHECK(printed(sl::window_span{at, sl::wall_time{7000ms}}, 7) == head("7000") + "7\n\n");
}

TEST_CASE("it stands where results are emitted") {
  auto const key = [](sl::record r) { return r.key_text(); };
  sl::batch_window const shape{.name = "w", .size = 1s};
  static_assert(
      std::is_invocable_v<sl::print&, sl::window_span const&, std::vector<std::pair<std::string, int>> const&>);
  static_assert(!std::is_invocable_v<sl::print&, sl::window_span const&, int const&, std::string&>);
  (void)sl::reduce_by_key_and_window(shape, key, [](auto) { return 1; }, std::plus{}, sl::print{});
  (void)sl::count_by_window(shape, sl::print{});
}
