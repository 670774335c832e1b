#include <sluice/reduce_by_key.hpp>

#include <sluice/batch.hpp>

#include <map>
#include <string>

#include "batches.hpp"
#include "catch.hpp"
#include "seed.hpp"

namespace sl = sluice;

TEST_CASE("one value for each key, in the order of keys, combined from the left") {
  held h;
  h.part("t", 0, {{0, "b", "1"}, {1, "a", "2"}, {2, "b", "3"}});
  h.part("t", 1, {{0, "a", "4"}, {1, std::nullopt, "5"}});
  auto const sums = sl::reduce_by_key(
      h.batch(), [](sl::record r) { return r.key_text(); }, [](sl::record r) { return std::string{r.text()}; },
      [](std::string a, std::string const& b) { return a + b; });
  CHECK(sums == std::vector<std::pair<std::string_view, std::string>>{{"b", "13"}, {"a", "24"}, {"", "5"}});
  CHECK(sl::reduce_by_key(
            sl::batch{}, [](sl::record r) { return r.partition(); }, [](sl::record) { return 1; }, std::plus{})
            .empty());
  CHECK(sl::count_by_key(h.batch(), [](sl::record r) { return r.key_text(); }) ==
        std::vector<std::pair<std::string_view, std::int64_t>>{{"b", 2}, {"a", 2}, {"", 1}});
}

TEST_CASE("as a map would, on random records") {
  std::mt19937 random{seed()};
  std::vector<std::pair<int, long>> records;
  std::map<int, long> wanted;
  for (int i = 0; i < 10'000; ++i) {
    records.emplace_back(static_cast<int>(random() % 300), static_cast<long>(random() % 1000));
    wanted[records.back().first] += records.back().second;
  }
  auto const sums =
      sl::reduce_by_key(records, &std::pair<int, long>::first, &std::pair<int, long>::second, std::plus{});
  CHECK(std::map<int, long>(sums.begin(), sums.end()) == wanted);
  CHECK(sums.size() == wanted.size());
}

TEST_CASE("pieces of a text that is gone with its record's turn are keys of their own") {
  held h;
  std::string const word(100, 'a');
  h.part("t", 0, {{0, "", "A " + word}, {1, "", std::string(100, 'B') + " A"}, {2, "", word}});
  auto const marked = [](sl::record r) { return sl::many{("<" + std::string{r.text()}) | std::views::split(' ')}; };
  auto const found = sl::reduce_by_key(h.batch(), marked, [](sl::record) { return 1; }, std::plus{});
  std::map<std::string, int> const sums(found.begin(), found.end());
  CHECK(sums ==
        std::map<std::string, int>{{"<A", 1}, {word, 1}, {"<" + std::string(100, 'B'), 1}, {"A", 1}, {"<" + word, 1}});
  auto const seen = [](sl::record r) { return sl::many{r.text() | std::views::split(' ')}; };
  auto const views = sl::reduce_by_key(h.batch(), seen, [](sl::record) { return 1; }, std::plus{});
  static_assert(std::is_same_v<decltype(views)::value_type::first_type, std::string_view>);
}
