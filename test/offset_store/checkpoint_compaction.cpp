#include <sluice/offset_store/checkpoint_compaction.hpp>

#include "segments_in_memory.hpp"

using namespace in_memory;

namespace {

/// Batches as a store brings them: a segment each, and some work behind it.
struct growing {
  place p{};
  open_segments open{p, 100'000};
  compaction merges{p};
  std::vector<segment_ref> refs{};
  std::size_t most_work = 0;

  void batch(row_changes const& changes) {
    refs.push_back(p.put(changes));
    auto const added = refs.back().size;
    std::vector<segment_ref> gone;
    merges.replace(refs, gone);
    merges.published(refs);
    for (auto const& g : gone) p.remove(g.id);
    REQUIRE(open.follow(refs));
    merges.start(open);
    auto const before = p.written;
    merges.work(4 * added);
    most_work = std::max(most_work, p.written - before);
  }
};

}  // namespace

TEST_CASE("what is merged shows the same rows, in few segments, each row written few times") {
  std::mt19937 random{seed()};
  growing g;
  model wanted;
  std::size_t changed = 0, largest = 0;
  for (int b = 0; b < 700; ++b) {
    row_changes changes;
    for (int i = 0; i < 100; ++i) {
      auto const key = "k" + std::to_string(100'000 + random() % 10'000);
      if (random() % 10 == 0) {
        changes[table()].insert_or_assign(key, row_change{.there = false});
        wanted.erase(key);
      } else {
        auto const value = std::to_string(10'000'000 + b);
        changes[table()].insert_or_assign(key, row_change{.value = value});
        wanted[key] = value;
      }
    }
    auto const before = g.p.written;
    g.batch(changes);
    for (auto const& [key, c] : changes[table()]) changed += key.size() + c.value.size();
    largest = std::max(largest, g.refs.back().size);
    CHECK(g.refs.size() < 60);
    (void)before;
  }
  CHECK(all_of({g.open, {}}, table()) == wanted);
  CHECK(g.p.written < 3 * changed);
  CHECK(g.p.files.size() <= g.refs.size() + 3);  // and what is being made
  // No batch did much more than its share: some block beyond 4 times what it brought, on each level.
  CHECK(g.most_work < 3 * (4 * largest + 20'000));
}

TEST_CASE("the oldest merge drops removed rows, a later one keeps them") {
  for (bool const first : {true, false}) {
    growing g;
    if (!first) g.refs.push_back(g.p.put({{table(), {{"k", {.value = "old"}}}}}, 1));
    for (int i = 0; i < 60; ++i) g.batch({{table(), {{"k", {.there = false}}}}});
    CHECK(all_of({g.open, {}}, table()).empty());
    std::uint64_t rows = 0;
    for (auto const& ref : g.refs)
      if (ref.level > 0) rows += ref.rows;
    CHECK((rows == 0) == first);
  }
}

TEST_CASE("a merge whose segments are not there any more changes nothing") {
  growing g;
  for (std::size_t i = 0; i < segments_merged; ++i) g.refs.push_back(g.p.put({{table(), {{"k", {.value = "v"}}}}}));
  REQUIRE(compaction::wanted(g.refs));
  REQUIRE(g.open.follow(g.refs));
  g.merges.start(g.open);
  g.merges.work(1'000'000);
  auto others = g.refs;
  others.erase(others.begin() + 3);
  auto const before = others;
  std::vector<segment_ref> gone;
  g.merges.replace(others, gone);
  CHECK(others == before);
  CHECK(gone.empty());
  g.merges.published(others);
  CHECK(g.merges.idle());
  CHECK(g.p.files.size() == segments_merged);
}

TEST_CASE("one that could not be synced is made again, one that is given up is taken away") {
  growing g;
  for (std::size_t i = 0; i < segments_merged; ++i) g.refs.push_back(g.p.put({{table(), {{"k", {.value = "v"}}}}}));
  REQUIRE(g.open.follow(g.refs));
  g.p.fails = true;
  g.merges.start(g.open);
  g.merges.work(1'000'000);
  CHECK(g.merges.idle());
  CHECK(g.p.files.size() == segments_merged);
  g.p.fails = false;
  g.merges.start(g.open);
  g.merges.work(1'000'000);
  CHECK(g.p.files.size() == segments_merged + 1);
  g.merges.stop();
  CHECK(g.p.files.size() == segments_merged);
}
