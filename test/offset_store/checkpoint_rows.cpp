#include <sluice/offset_store/checkpoint_rows.hpp>

#include "segments_in_memory.hpp"

using namespace in_memory;

TEST_CASE("due times sort as numbers do, then by key") {
  std::vector<std::int64_t> const times{
      std::numeric_limits<std::int64_t>::min(), -62'135'596'800'000, -1, 0, 1, 253'402'300'799'999, never};
  for (std::size_t i = 0; i < times.size(); ++i) {
    CHECK(due_of(due_key(times[i], "key")) == times[i]);
    if (i > 0) CHECK(due_key(times[i - 1], "\xff") < due_key(times[i], ""));
  }
  CHECK(due_key(5, "a") < due_key(5, "b"));
}

TEST_CASE("segments and what was changed since show what a plain map would") {
  std::mt19937 random{seed()};
  for (int round = 0; round < 40; ++round) {
    place p;
    open_segments segments{p, random() % 2 ? 1'000'000u : 0u};
    std::vector<segment_ref> refs;
    std::map<table_key, std::map<std::string, row_change>> wanted;
    std::vector<row_changes> layers(2);
    auto const some = [&](row_changes& to) {
      for (auto n = random() % 60; n > 0; --n) {
        auto const t = table("t" + std::to_string(random() % 2), static_cast<std::int32_t>(random() % 2));
        auto const key = "k" + std::to_string(random() % 40);
        row_change const change{.value = std::to_string(random()), .there = random() % 4 != 0};
        to[t].insert_or_assign(key, change);
        wanted[t].insert_or_assign(key, change);
      }
    };
    for (auto n = random() % 12; n > 0; --n) {
      row_changes changes;
      some(changes);
      if (!changes.empty()) refs.push_back(p.put(changes));
    }
    some(layers[1]);
    some(layers[0]);
    REQUIRE(segments.follow(refs));
    row_view const view{segments, {&layers[0], &layers[1]}};
    for (auto const& [t, rows] : wanted) {
      model shown;
      for (auto const& [key, change] : rows)
        if (change.there) shown[key] = change.value;
      CHECK(all_of(view, t) == shown);
      std::vector<std::string> keys;
      std::vector<std::size_t> order;
      for (int k = 0; k < 45; ++k) keys.push_back("k" + std::to_string(k));
      std::sort(keys.begin(), keys.end());
      for (std::size_t i = 0; i < keys.size(); ++i) order.push_back(i);
      model read;
      view.read(
          t, order, [&](std::size_t i) { return std::string_view{keys[i]}; },
          [&](std::size_t i, table_row const& row) { CHECK(read.emplace(keys[i], row.value).second); });
      CHECK(read == shown);
      auto const one = view.find(t, "k7");
      CHECK((one ? one->value : "-") == (shown.contains("k7") ? shown["k7"] : "-"));
    }
    auto merged = std::move(layers[1]);
    merge_changes(merged, std::move(layers[0]));
    refs.push_back(p.put(merged));
    REQUIRE(segments.follow(refs));
    row_view const later{segments, {}};
    for (auto const& [t, rows] : wanted)
      for (auto const& [key, change] : rows) CHECK(later.find(t, key).has_value() == change.there);
  }
}

TEST_CASE("a segment that is not there is no empty one") {
  place p;
  open_segments segments{p, 0};
  auto const ref = p.put({{table(), {{"k", {}}}}});
  CHECK(segments.follow({ref}));
  auto gone = ref;
  gone.id = 77;
  CHECK_FALSE(segments.follow({ref, gone}));
  CHECK(segments.all().size() == 1);
  auto const e = error_of([&] { segments.missing({ref, gone}, "folder/generation.7"); });
  CHECK(e.code == sl::errc::store_damaged);
  CHECK_THAT(e.text, ContainsSubstring("memory/77 is not there, and folder/generation.7 names it"));
}
