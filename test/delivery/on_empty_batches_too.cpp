#include <sluice/delivery/on_empty_batches_too.hpp>
#include <sluice/source/constant.hpp>

#include "catch.hpp"
#include "scripted_consumer.hpp"

namespace {

using namespace scripted;
using tx_t = offsets::transaction;

struct seen_batch {
  std::size_t records = 0;
  std::vector<std::tuple<int, std::int64_t, std::int64_t>> ranges{};
  sl::wall_time time{};
  bool more = false;
};
struct asking {
  static constexpr bool wants_empty_batches = true;
  std::vector<seen_batch>& seen;
  void operator()(sl::batch const& b, tx_t& tx) {
    seen_batch s{.records = b.size(), .time = b.time(), .more = b.more_follows()};
    CHECK(b.interval() == 1s);
    for (auto const& r : b.ranges()) s.ranges.emplace_back(r.of.partition, r.from.value(), r.until.value());
    std::size_t n = 0;
    for (auto const part : b.partitions()) {
      CHECK(part.time() == b.time());
      n += part.size();
    }
    CHECK(n == b.size());
    for (auto r : b) tx.put(r);
    auto at = b.end();
    for (n = 0; at != b.begin(); --at) ++n;
    CHECK(n == b.size());
    seen.push_back(std::move(s));
  }
};
using ranges = std::vector<std::tuple<int, std::int64_t, std::int64_t>>;

}  // namespace

TEST_CASE("a handler that wants them gets batches without records, with all partitions that are read") {
  outside o{2};
  o.world.produce(p1, 3);
  std::vector<seen_batch> seen;
  auto c = o.start<sl::transactional>(sl::micro_batch{.interval = 1s});
  o.world.assign({p0, p1});
  steps(c, asking{seen}, 4);
  REQUIRE(seen.size() >= 3);
  CHECK(seen[0].records == 3);
  CHECK(seen[0].ranges == ranges{{1, 0, 3}, {0, 0, 0}});
  CHECK(seen[1].records == 0);
  CHECK(seen[1].ranges == ranges{{0, 0, 0}, {1, 3, 3}});
  CHECK(seen[2].time - seen[1].time == 1s);
  CHECK(o.disk.effects.size() == 3);
  CHECK(o.world.mirrored == 1);  // where nothing moved the group is told nothing
  CHECK(o.world.wrong().empty());
  auto const before = seen.size();
  steps(c, [](sl::batch const& b, tx_t&) { CHECK(b.size() > 0); }, 3);  // nobody else does
  CHECK(seen.size() == before);
}

TEST_CASE("a function is made one that wants them") {
  outside o;
  int calls = 0;
  auto c = o.start<sl::transactional>(sl::micro_batch{.interval = 1s});
  o.world.assign({p0});
  steps(c, sl::on_empty_batches_too{[&](sl::batch const& b, tx_t&) { calls += b.empty(); }}, 3);
  CHECK(calls >= 2);
}

TEST_CASE("without an interval there are none") {
  outside o;
  std::vector<seen_batch> seen;
  auto c = o.start<sl::transactional>();
  o.world.assign({p0});
  steps(c, asking{seen}, 3);
  CHECK(seen.empty());
}

TEST_CASE("an empty batch checks the fence of each partition") {
  outside o{2};
  std::vector<seen_batch> seen;
  auto c = o.start<sl::transactional>(sl::micro_batch{.interval = 1s});
  o.world.assign({p0, p1});
  steps(c, asking{seen}, 2);
  auto const batches = c.statistics().batches;
  ++o.disk.rows[p1].mine.turn;  // another one has claimed it
  c.step(asking{seen}, 1s);
  CHECK(c.statistics().refused == 1);
  CHECK(c.statistics().batches == batches + 1);  // what was left of it
  REQUIRE(seen.size() >= 2);
  CHECK(seen.back().ranges == ranges{{0, 0, 0}});
}

TEST_CASE("a batch that its bounds cut short is followed by the rest of its interval, even if that is nothing") {
  outside o;
  o.world.produce(p0, 4);
  std::vector<seen_batch> seen;
  auto c = o.start<sl::transactional>(sl::micro_batch{.interval = 1s, .max_records = 2});
  o.world.assign({p0});
  steps(c, asking{seen}, 5);
  REQUIRE(seen.size() >= 4);
  CHECK(seen[0].more);
  CHECK(seen[1].more);
  CHECK(seen[0].time == seen[1].time);
  CHECK(seen[2].time == seen[1].time);
  CHECK(seen[2].records == 0);
  CHECK_FALSE(seen[2].more);
  CHECK(seen[3].time - seen[2].time == 1s);
}

TEST_CASE("the rest of an interval comes also where the source was read to its end meanwhile") {
  ledger disk;
  std::vector<seen_batch> seen;
  sl::stream_consumer c{sl::transactional{}, offsets{&disk},
                        sl::constant_source{.records = {{"a"}, {"b"}, {"c"}, {"d"}}, .group = "g"},
                        sl::micro_batch{.interval = 1s, .max_records = 2}};
  c.run(std::stop_token{}, asking{seen});
  REQUIRE(seen.size() >= 2);
  CHECK(disk.effects.size() == 4);
  CHECK_FALSE(seen.back().more);
  CHECK(seen.back().time == seen.front().time);
}
