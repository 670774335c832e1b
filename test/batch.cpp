#include <sluice/batch.hpp>

#include "batches.hpp"
#include "catch.hpp"
#include "seed.hpp"

#include <range/v3/algorithm/equal.hpp>
#include <range/v3/range/conversion.hpp>
#include <range/v3/view/chunk_by.hpp>
#include <range/v3/view/filter.hpp>
#include <range/v3/view/transform.hpp>

#include <algorithm>

namespace sl = sluice;
using namespace std::chrono_literals;

static_assert(std::random_access_iterator<sl::batch::iterator>);
static_assert(std::sized_sentinel_for<sl::batch::iterator, sl::batch::iterator>);
static_assert(std::ranges::random_access_range<sl::batch> && std::ranges::random_access_range<sl::batch const>);
static_assert(std::ranges::sized_range<sl::batch const> && std::ranges::common_range<sl::batch const>);
static_assert(std::ranges::view<sl::batch> && std::ranges::borrowed_range<sl::batch>);
static_assert(std::ranges::viewable_range<sl::batch> && std::ranges::viewable_range<sl::batch const&>);
static_assert(std::is_trivially_copyable_v<sl::batch>);
static_assert(ranges::random_access_iterator<sl::batch::iterator>);
static_assert(ranges::random_access_range<sl::batch const> && ranges::sized_range<sl::batch const>);
static_assert(ranges::common_range<sl::batch const> && ranges::viewable_range<sl::batch const&>);
static_assert(std::same_as<std::ranges::range_value_t<decltype(std::declval<sl::batch>().partitions())>, sl::batch>);

namespace {
/// The same as a batch, and as a plain vector.
struct both {
  held source{};
  struct plain {
    std::int32_t partition;
    std::int64_t at;
    friend bool operator==(plain, plain) = default;
  };
  std::vector<plain> model{};
  sl::batch batch{};

  explicit both(std::vector<std::size_t> const& sizes, std::int64_t gap = 1) {
    for (std::size_t p = 0; p < sizes.size(); ++p) {
      std::vector<made> part;
      for (std::size_t i = 0; i < sizes[p]; ++i) {
        part.push_back({.at = static_cast<std::int64_t>(i) * gap, .value = std::to_string(i % 3)});
        model.push_back({static_cast<std::int32_t>(p), part.back().at});
      }
      source.part("t", static_cast<std::int32_t>(p), part);
    }
    batch = source.batch(sl::wall_time{5s});
  }
};
both::plain plain(sl::record r) { return {r.partition(), r.offset().value()}; }
sl::offset plain_offset(sl::record r) { return r.offset(); }
}  // namespace

TEST_CASE("random walks over random parts go where those of a plain vector go") {
  std::mt19937 random(seed());
  for (int round = 0; round < 300; ++round) {
    std::vector<std::size_t> sizes(1 + random() % 6);
    for (auto& s : sizes) s = 1 + random() % (random() % 3 ? 3 : 40);
    both const b(sizes, 1 + random() % 2);
    auto const n = static_cast<std::ptrdiff_t>(b.model.size());
    REQUIRE(b.batch.size() == b.model.size());
    REQUIRE(b.batch.end() - b.batch.begin() == n);
    auto i = b.batch.begin();
    std::ptrdiff_t at = 0;
    for (int step = 0; step < 60; ++step) {
      auto const to = static_cast<std::ptrdiff_t>(random() % static_cast<std::size_t>(n + 1));
      auto const other = b.batch.begin() + to;
      REQUIRE(other - i == to - at);
      REQUIRE((other <=> i) == (to <=> at));
      REQUIRE((other == i) == (to == at));
      if (to < n) REQUIRE(plain(i[to - at]) == b.model[static_cast<std::size_t>(to)]);
      switch (random() % 7) {
        case 0:
          i += to - at, at = to;
          break;
        case 1:
          i -= at - to, at = to;
          break;
        case 2:
          i = (to - at) + i, at = to;
          break;
        case 3:
          i = b.batch.end() - (n - to), at = to;
          break;
        case 4:
          if (at < n) REQUIRE(plain(*i++) == b.model[static_cast<std::size_t>(at++)]);
          break;
        case 5:
          if (at > 0) --i, --at;
          break;
        default:
          if (at > 0) {
            auto const old = i--;
            REQUIRE(old - i == 1);
            --at;
          }
      }
      REQUIRE(i - b.batch.begin() == at);
      if (at < n) REQUIRE(plain(*i) == b.model[static_cast<std::size_t>(at)]);
    }
  }
}

TEST_CASE("forwards, backwards and by index it is the same") {
  both const b({2, 1, 3, 1});
  CHECK(std::ranges::equal(b.batch, b.model, {}, plain));
  CHECK(std::ranges::equal(b.batch | std::views::reverse, b.model | std::views::reverse, {}, plain));
  for (std::size_t i = 0; i < b.model.size(); ++i) CHECK(plain(b.batch[static_cast<std::ptrdiff_t>(i)]) == b.model[i]);
  CHECK(plain(b.batch.front()) == b.model.front());
  CHECK(plain(b.batch.back()) == b.model.back());
}

TEST_CASE("an empty batch") {
  for (auto const& b : {sl::batch{}, held{}.batch(sl::wall_time{3s})}) {
    CHECK(b.empty());
    CHECK(b.size() == 0);
    CHECK(b.begin() == b.end());
    CHECK(b.begin() + 0 == b.end());
    auto i = b.begin();
    i += 0;
    CHECK(i == b.end());
    CHECK(b.begin() - 0 == b.end());
    CHECK(b.end() - b.begin() == 0);
    CHECK(b.ranges().empty());
    CHECK(b.partitions().empty());
    CHECK(std::ranges::distance(b | std::views::filter([](sl::record) { return true; })) == 0);
  }
  CHECK(sl::batch({}, sl::wall_time{3s}).time() == sl::wall_time{3s});
}

TEST_CASE("sub-batches: one for each partition, of the same type, with all the records once") {
  both const b({2, 5, 1}, 10);
  std::vector<both::plain> all;
  std::int32_t partition = 0;
  for (sl::batch const part : b.batch.partitions()) {
    CHECK(part.time() == b.batch.time());
    CHECK(std::ranges::distance(part.ranges()) == 1);
    CHECK(part.ranges().front() == b.batch.ranges()[partition]);
    CHECK(part.partitions().size() == 1);
    CHECK(std::ranges::all_of(part, [&](sl::record r) { return r.partition() == partition; }));
    CHECK(part.end() - part.begin() == static_cast<std::ptrdiff_t>(part.size()));
    for (auto i = part.end(); i != part.begin();) CHECK((--i, (*i).partition() == partition));
    for (auto const r : part) all.push_back(plain(r));
    ++partition;
  }
  CHECK(partition == 3);
  CHECK(all == b.model);
}

TEST_CASE("ranges tell partition and offsets, gaps or not") {
  both const b({2, 3}, 10);
  CHECK(b.batch.ranges()[0] == sl::offset_range{{"t", 0}, sl::offset{0}, sl::offset{11}, 1});
  CHECK(b.batch.ranges()[1] == sl::offset_range{{"t", 1}, sl::offset{0}, sl::offset{21}, 1});
}

TEST_CASE("records and iterators outlive the batch object, for they look at what the source holds") {
  both const b({3, 3});
  auto const last = std::ranges::max_element(sl::batch(b.batch), {}, plain_offset);
  CHECK(plain(*last) == b.model[2]);
}

TEST_CASE("standard views over a batch") {
  both const b({4, 3});
  auto const texts = b.batch | std::views::transform(&sl::record::text);
  static_assert(std::ranges::random_access_range<decltype(texts)>);
  CHECK(std::ranges::equal(texts, std::vector<std::string_view>{"0", "1", "2", "0", "0", "1", "2"}));
  auto const some = b.batch | std::views::drop(2) | std::views::take(3);
  CHECK(std::ranges::equal(some, std::span(b.model).subspan(2, 3), {}, plain));
  CHECK(std::ranges::distance(b.batch | std::views::filter([](sl::record r) { return r.text() == "0"; })) == 3);
  CHECK(std::ranges::lower_bound(b.batch.partitions()[1], sl::offset{1}, {}, &sl::record::offset) - b.batch.begin() ==
        5);
}

TEST_CASE("range-v3's views over a batch") {
  both const b({4, 3});
  namespace rv = ranges::views;
  auto const texts = b.batch | rv::transform([](sl::record r) { return std::string(r.text()); }) |
                     rv::filter([](std::string const& s) { return s != "1"; }) | ranges::to<std::vector>();
  CHECK(texts == std::vector<std::string>{"0", "2", "0", "0", "2"});
  auto const sizes = b.batch | rv::chunk_by([](sl::record x, sl::record y) { return x.partition() == y.partition(); }) |
                     rv::transform([](auto&& chunk) { return ranges::distance(chunk); }) | ranges::to<std::vector>();
  CHECK(sizes == std::vector<std::ptrdiff_t>{4, 3});
  auto const copies = b.batch | ranges::to<std::vector>();
  static_assert(std::same_as<decltype(copies), std::vector<sl::record> const>);
  CHECK(ranges::equal(copies, b.model, {}, plain));
}
