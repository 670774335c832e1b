#include <sluice/offset_store/hbase.hpp>

#include <sluice/legality.hpp>

#include "contract_network.hpp"
#include "hbase_support.hpp"

static_assert(sl::offset_store<sl::hbase_offset_store> && !sl::transactional_store<sl::hbase_offset_store>);
static_assert(sl::legal<sl::at_most_once, sl::hbase_offsets> && sl::legal<sl::idempotent, sl::hbase_offsets>);
static_assert(!sl::legal<sl::transactional, sl::hbase_offsets>);

TEST_CASE("hbase_offsets keeps the contract of stores") { contract::holds<hbase_fixture>(); }
TEST_CASE("hbase_offsets keeps the contract of stores behind a network") {
  contract::holds_over_network<hbase_with_history>();
}

TEST_CASE("20 kills of HBase in mid-store lose nothing that it acknowledged", "[.long]") {
  contract::server_killed_often<hbase_fixture>();
}

namespace {

using namespace contract;

/// A row as a program on Spark puts it there.
void put_row(hbase_fixture const& f, std::string const& key, std::vector<hb::cell> const& cells) {
  f.table().put({{key, cells}}, soon());
}
texts keys(hbase_fixture const& f) {
  texts all;
  for (std::string from;;) {
    auto const found = f.table().lowest(from, soon());
    if (!found) return all;
    all.push_back(found->key);
    from = found->key + '\x01';
  }
}

}  // namespace

TEST_CASE("rows of Spark's are gone on with, and what is written there is what Spark programs look for") {
  hbase_with_history f;
  f.open();
  for (auto const* key : {"orders:billing:1595310688831", "orders:billing:1795310688831",
                          "orders:billing:17:1899999999999", "orders:billing2:1999999999999"})
    put_row(f, key,
            {{"offsets:0", std::string{key} == "orders:billing:1795310688831" ? "41" : "1"}, {"offsets:1", "17"}});
  auto r = orders();
  auto const set = partitions("orders", {0, 1});
  auto const s = f.open();
  auto const c = claim(*s, "billing", set, r);
  CHECK(c[0].what == sl::claimed::first);
  CHECK(c[0].next == offset{41});
  CHECK(c[1].next == offset{17});
  CHECK(r.asked == 0);
  REQUIRE(f.told.size() == 1);
  auto const before = keys(f);
  auto moves = to_all(c, 5);
  CHECK(advance(*s, moves) == all(2, outcome::applied));
  CHECK(keys(f).size() == before.size() + 1);
  auto table = f.table();
  auto const newest = hb::newest_row(table, "orders", "billing", soon());
  REQUIRE(newest);
  CHECK(newest->when >= wall_ms() - 10'000);
  CHECK(newest->next == std::vector<std::optional<offset>>{offset{46}, offset{22}});
  CHECK(the_hbase()
            .ask("GET", "/" + f.config.table + "/" + newest->key + "/offsets:0", {}, "application/octet-stream")
            .content == "46");
}

TEST_CASE("members of one group store side by side: each advance is there, whoever was quicker") {
  hbase_fixture f;
  constexpr int members = 3, rounds = 15;
  resolver r{{{"orders", std::vector<offset>(members, offset{0})}}};
  std::vector<std::unique_ptr<hbase_fixture::store>> stores;
  std::vector<sl::claimed> claims;
  for (int m = 0; m < members; ++m) {
    stores.push_back(f.open());
    claims.push_back(claim(*stores.back(), "billing", partitions("orders", {m}), r)[0]);
  }
  std::atomic<int> lost{0};
  std::vector<std::thread> threads;
  for (std::size_t m = 0; m < members; ++m)
    threads.emplace_back([&, m] {
      auto move = to(claims[m], 1);
      for (int i = 0; i < rounds; ++i) {
        lost += advance(*stores[m], {move}) != all{outcome::applied};
        move.from = move.until;
        move.until = move.until.next();
      }
    });
  for (auto& t : threads) t.join();
  CHECK(lost == 0);
  CHECK(stands_at(f, partitions("orders", up_to(members))) == std::vector<offset>(members, offset{rounds}));
}

TEST_CASE("without the master nothing is taken for absent, and everything is there when it is back") {
  hbase_fixture f;
  auto r = orders();
  auto const set = partitions("orders", {0, 1});
  auto const s = f.open();
  auto const moves = to_all(claim(*s, "billing", set, r), 5);
  {
    struct frozen {
      frozen() { the_hbase().freeze_master(true); }
      ~frozen() { the_hbase().freeze_master(false); }
    } const now;
    auto other = f.state("new");
    auto const begun = std::chrono::steady_clock::now();
    CHECK_THROWS_AS(other.newest(begun + 2s), sl::store_error);
    CHECK(std::chrono::steady_clock::now() - begun < 4s);
    CHECK(copy(s->advance(moves, in(500ms))) == all(2, outcome::unknown));
  }
  all answers(2, outcome::unknown);
  settle(*s, moves, answers);
  CHECK(answers == all(2, outcome::applied));
  CHECK(stands_at(f, set) == std::vector{offset{15}, offset{25}});
}
