#include <sluice/state/keyed_state.hpp>

#include "kept_counts.hpp"
#include "state_cases.hpp"

namespace {

using namespace kept_counts;
using tx_t = sl::sqlite_transaction;

void produce(cluster& world, of_t const& of, std::vector<std::string> const& keys) {
  for (auto const& k : keys) world.produce(of, "v", k);
}
auto counting(counter& state) {
  return [&state](sl::batch const& b, tx_t& tx) { state.update(b, tx, key_of, add); };
}

}  // namespace

TEST_CASE("counts go on after a restart, a revoke, and with another memory") {
  outside_with_file o{2};
  produce(o.world, p0, {"a", "b", "a"});
  produce(o.world, p1, {"a"});
  counter first{.name = "counts"}, second{.name = "counts"};
  {
    auto c = o.consumer();
    o.world.assign({p0, p1});
    drain_log(c, counting(first));
    produce(o.world, p0, {"a"});
    drain_log(c, counting(first));
    o.world.revoke({p0, p1});
    drain_log(c, counting(first));
    o.world.assign({p0});
    produce(o.world, p0, {"c"});
    drain_log(c, counting(first));
  }
  CHECK(o.counts("counts", 0) == counts_by_key{{"a", 3}, {"b", 1}, {"c", 1}});
  {
    auto c = o.consumer();
    o.world.assign({p0, p1});
    produce(o.world, p0, {"b"});
    produce(o.world, p1, {"a"});
    drain_log(c, counting(second));
  }
  auto c = o.consumer();
  o.world.assign({p0, p1});
  produce(o.world, p0, {"b"});
  drain_log(c, counting(first));  // which remembers what was before the second
  CHECK(o.counts("counts", 0) == counts_by_key{{"a", 3}, {"b", 3}, {"c", 1}});
  CHECK(o.counts("counts", 1) == counts_by_key{{"a", 2}});
}

TEST_CASE("what a batch left when it failed is forgotten") {
  outside_with_file o{2};
  counter state{.name = "counts"};
  auto c = o.consumer();
  o.world.assign({p0, p1});
  produce(o.world, p0, {"a", "b"});
  drain_log(c, counting(state));
  produce(o.world, p0, {"a", "b", "c"});
  produce(o.world, p1, {"a"});
  SECTION("a handler that throws in mid-update") {
    int calls = 0;
    auto const failing = [&](sl::batch const& b, tx_t& tx) {
      state.update(b, tx, key_of, [&](auto records, auto& n) {
        add(records, n);
        if (++calls == 2) throw std::runtime_error("in the middle");
      });
    };
    CHECK_THROWS_WITH(steps(c, failing, 3), "in the middle");
  }
  SECTION("a handler that throws behind the update") {
    auto const failing = [&](sl::batch const& b, tx_t& tx) {
      state.update(b, tx, key_of, add);
      throw std::runtime_error("behind it");
    };
    for (int i = 0; i < 3; ++i) CHECK_THROWS_WITH(steps(c, failing, 3), "behind it");
  }
  SECTION("a commit whose outcome is not known, and that was not done or was done") {
    failing_disk::log_syncs_fail = 1;
    steps(c, counting(state), 6);
    CHECK(failing_disk::log_syncs_fail == 0);
  }
  SECTION("one partition was claimed by another: the others' part is run again") {
    int times = 0;
    auto const once_taken = [&](sl::batch const& b, tx_t& tx) {
      state.update(b, tx, key_of, add);
      if (++times == 1) {  // within the transaction: this very one finds another fence
        tx.execute("update sluice_offsets set fence_turn = fence_turn + 1 where partition = 0");
      }
    };
    steps(c, once_taken, 8);
    CHECK(c.statistics().refused >= 1);
  }
  drain_log(c, counting(state));
  CHECK(o.counts("counts", 0) == counts_by_key{{"a", 2}, {"b", 2}, {"c", 1}});
  CHECK(o.counts("counts", 1) == counts_by_key{{"a", 1}});
  CHECK(o.next(p0) == 5);
}

TEST_CASE("a gap in the offsets, a seek back") {
  outside_with_file o;
  counter state{.name = "counts"};
  auto c = o.consumer();
  o.world.assign({p0});
  produce(o.world, p0, {"a"});
  drain_log(c, counting(state));
  o.world.gap(p0, 10);
  produce(o.world, p0, {"a"});
  drain_log(c, counting(state));
  CHECK(o.counts() == counts_by_key{{"a", 2}});
  c.seek(p0, sl::offset{0});
  drain_log(c, counting(state));
  CHECK(o.counts() == counts_by_key{{"a", 4}});  // handled again, since the user wanted it
}

TEST_CASE("records that are set aside are not counted") {
  outside_with_file o;
  counter state{.name = "counts"};
  auto c = o.consumer(sl::skip{});
  o.world.assign({p0});
  produce(o.world, p0, {"a"});
  drain_log(c, counting(state));
  produce(o.world, p0, {"a", "b"});
  auto const failing = [&](sl::batch const& b, tx_t& tx) {
    state.update(b, tx, key_of, add);
    throw std::runtime_error("poison");
  };
  steps(c, failing, 4);
  produce(o.world, p0, {"a"});
  drain_log(c, counting(state));
  CHECK(c.statistics().skipped == 2);
  CHECK(o.counts() == counts_by_key{{"a", 2}});
}

TEST_CASE("each, with records that fail: what their savepoint undid is not counted") {
  outside_with_file o;
  counter state{.name = "counts"};
  auto c = o.consumer(sl::skip{});
  o.world.assign({p0});
  produce(o.world, p0, {"a", "b", "bad", "a"});
  auto handler = sl::each([&](sl::record r, tx_t& tx) {
    held one;
    one.part("t", 0, {{r.offset().value(), std::string{r.key_text()}, "v"}});
    state.update(one.batch(), tx, key_of, add);
    if (r.key_text() == "bad") throw std::runtime_error("poison");
  });
  drain_log(c, handler);
  CHECK(c.statistics().skipped == 1);
  CHECK(o.counts() == counts_by_key{{"a", 2}, {"b", 1}});
}

TEST_CASE("only what changed is written, and what is known is not read") {
  using fixture = state_cases::claimed_store<sqlite_fixture>;
  sqlite_fixture f;
  fixture s{f};
  counter state{.name = "counts"};
  s.transact([&](auto& tx) { state_cases::count(state, tx, {{0, "a"}, {1, "b"}, {2, "c"}}); });
  s.transact(
      [&](auto& tx) {
        auto const before = sqlite3_total_changes64(tx.native_handle());
        held h;
        h.part("orders", 0, {{3, "a"}, {4, "b"}, {5, "c"}});
        std::vector<std::string> order;
        state.update(h.batch(), tx, key_of, [&](std::string const& key, auto, auto& n) {
          order.push_back(key);
          if (key == "b") ++*n;
        });
        CHECK(order == std::vector<std::string>{"a", "b", "c"});
        CHECK(sqlite3_total_changes64(tx.native_handle()) - before == 2);              // the row and the stamp
        tx.execute("delete from sluice_offsets_state where hex(\"key\") like '6B%'");  // behind its back
        held again;
        again.part("orders", 0, {{6, "a"}});
        state.update(again.batch(), tx, key_of, [&](auto, auto& n) { CHECK(n == 1); });
      },
      false);
}

TEST_CASE("memory is capped, and the result is exact") {
  outside_with_file o;
  counter state{.name = "counts", .max_bytes = 100'000};
  auto c = o.consumer();
  o.world.assign({p0});
  counts_by_key wanted;
  std::mt19937 random{17};
  std::size_t most = 0, without_cap = 0;
  for (int i = 0; i < 20'000; ++i) {
    auto const key = "some key that is not short " + std::to_string(random() % 5'000);
    ++wanted[key];
    o.world.produce(p0, "v", key);
  }
  auto const handler = [&](sl::batch const& b, tx_t& tx) {
    state.update(b, tx, key_of, add);
    most = std::max(most, state.memory.bytes());
    without_cap = std::max(without_cap, wanted.size() * 150);
  };
  drain_log(c, handler);
  CHECK(o.counts() == wanted);
  CHECK(most <= 100'000);
  CHECK(most > 50'000);
  CHECK(without_cap > 500'000);
}

TEST_CASE("a topic that has grown is told with the remedy, or accepted") {
  outside_with_file o{2};
  counter state{.name = "counts"};
  auto c = o.consumer();
  o.world.assign({p0, p1});
  produce(o.world, p0, {"a"});
  drain_log(c, counting(state));
  o.world.create("t", 3);
  o.world.revoke({p0, p1});
  o.world.assign({p0, p1, p2});
  produce(o.world, p2, {"a"});
  thrown e;
  for (int i = 0; i < 8 && !e.code; ++i) e = error_of([&] { c.step(counting(state), 1s); });
  CHECK(e.code == sl::errc::bad_configuration);
  CHECK(e.of_store);
  CHECK_THAT(e.text, ContainsSubstring("state \"counts\"") && ContainsSubstring("had 2 partitions") &&
                         ContainsSubstring("t/2") && ContainsSubstring("partition_growth::accept"));
  CHECK(o.next(p2) == 0);
  state.when_partitions_grow = sl::partition_growth::accept;
  steps(c, counting(state), 3);
  CHECK(o.counts("counts", 2) == counts_by_key{{"a", 1}});
  counter later{.name = "begun_with_three"};
  produce(o.world, p2, {"a"});
  drain_log(c, counting(later));
  CHECK(o.counts("begun_with_three", 2) == counts_by_key{{"a", 1}});
}

TEST_CASE("a value that can't be read is told, whatever on_failure says, and nothing is lost") {
  outside_with_file o;
  counter state{.name = "counts"};
  {
    auto c = o.consumer();
    o.world.assign({p0});
    produce(o.world, p0, {"some key", "b"});
    drain_log(c, counting(state));
  }
  std::string spoil, part = "ends 1 bytes before";
  SECTION("cut short") { spoil = "substr(value, 1, 7)"; }
  SECTION("too long") { spoil = "cast(value || x'00' as blob)", part = "1 bytes are left"; }
  rows(o.store.path, "update sluice_offsets_state set value = " + spoil + " where hex(\"key\") like '6B08%'");
  produce(o.world, p0, {"b", "some key"});
  auto const before = rows(o.store.path, "select hex(value) from sluice_offsets_state order by 1");
  counter anew{.name = "counts"};
  auto c = o.consumer(sl::skip{});
  o.world.assign({p0});
  thrown e;
  for (int i = 0; i < 8 && !e.code; ++i) e = error_of([&] { c.step(counting(anew), 1s); });
  CHECK(e.code == sl::errc::store_damaged);
  CHECK(c.statistics().skipped == 0);
  CHECK(c.statistics().store_failures > 0);
  CHECK(o.next(p0) == 2);
  CHECK(rows(o.store.path, "select hex(value) from sluice_offsets_state order by 1") == before);
  CHECK_THAT(e.text, ContainsSubstring("state \"counts\"") && ContainsSubstring("a key of 12 bytes in t/0") &&
                         ContainsSubstring(part) && !ContainsSubstring("some key"));
}

TEST_CASE("keys expire in order, once, and news keep them") {
  using fixture = state_cases::claimed_store<sqlite_fixture>;
  sqlite_fixture f;
  fixture s{f};
  counter state{.name = "counts", .timeout = 10s};
  std::vector<std::string> log;
  auto const turn = [&](int second, std::vector<made> const& records, bool commits = true) {
    s.transact(
        [&](auto& tx) {
          held h;
          h.part("orders", 0, records);
          state.update(h.batch(sl::wall_time{std::chrono::seconds{second}}), tx, key_of, add,
                       [&](std::string const& key, std::int64_t n) { log.push_back(key + std::to_string(n)); });
        },
        commits);
    return std::exchange(log, {});
  };
  using texts = std::vector<std::string>;
  turn(100, {{0, "c"}, {1, "b"}});
  turn(101, {{2, "a"}});
  CHECK(turn(105, {{3, "b"}}).empty());
  CHECK(turn(109, {{4, "x"}}).empty());
  CHECK(turn(112, {{5, "c"}}, false) == texts{"c1", "a1"});
  CHECK(turn(112, {{5, "c"}}) == texts{"c1", "a1"});  // and c begins anew
  CHECK(turn(113, {{6, "x"}}).empty());
  CHECK(turn(115, {{7, "x"}}) == texts{"b2"});
  CHECK(turn(200, {{8, "y"}}) == texts{"c1", "x3"});
  CHECK(state_cases::counted(s, state_cases::o0) == std::map<std::string, std::int64_t>{{"y", 1}});
}

TEST_CASE("a time-out as long as there is one is for ever") {
  using fixture = state_cases::claimed_store<sqlite_fixture>;
  sqlite_fixture f;
  fixture s{f};
  counter state{.name = "counts", .timeout = std::chrono::milliseconds::max()};
  for (std::int64_t i = 0; i < 3; ++i)
    s.transact([&](auto& tx) {
      held h;
      h.part("orders", 0, {{i, "a"}});
      state.update(h.batch(sl::wall_time{std::chrono::seconds{100 + i}}), tx, key_of, add);
    });
  CHECK(state_cases::counted(s, state_cases::o0) == std::map<std::string, std::int64_t>{{"a", 3}});
}

TEST_CASE("what an update wrote before it threw shows in every memory, if the handler lets it pass") {
  using fixture = state_cases::claimed_store<sqlite_fixture>;
  sqlite_fixture f;
  fixture s{f};
  counter first{.name = "counts", .timeout = 10s}, second{.name = "counts", .timeout = 10s};
  std::vector<made> all;
  for (std::int64_t i = 0; i < 1500; ++i) all.push_back({i, "key " + std::to_string(10'000 + i)});
  held h;
  h.part("orders", 0, all);
  s.transact([&](auto& tx) { first.update(h.batch(sl::wall_time{100s}), tx, key_of, add); });
  held one;
  one.part("orders", 0, {{1500, "key 10000"}});
  s.transact([&](auto& tx) {
    int over = 0;
    CHECK_THROWS(second.update(one.batch(sl::wall_time{200s}), tx, key_of, add, [&](auto const&, auto) {
      if (++over == 1200) throw std::runtime_error("in the middle");
    }));
  });
  s.transact([&](auto& tx) {
    first.update(one.batch(sl::wall_time{105s}), tx, key_of, [](auto, auto& n) { CHECK_FALSE(n.has_value()); });
  });
}

TEST_CASE("names and keys that can't be stored are told") {
  using fixture = state_cases::claimed_store<sqlite_fixture>;
  sqlite_fixture f;
  fixture s{f};
  for (auto const* name : {"", "a b", "drop\"", "1a"}) {
    counter state{.name = name};
    CHECK(error_of([&] { s.transact([&](auto& tx) { state_cases::count(state, tx, {{0, "a"}}); }); }).code ==
          sl::errc::bad_configuration);
  }
  counter state{.name = "counts"};
  auto const e =
      error_of([&] { s.transact([&](auto& tx) { state_cases::count(state, tx, {{0, std::string(1000, 'x')}}); }); });
  CHECK(e.code == sl::errc::bad_statement);
  CHECK_FALSE(e.of_store);
  CHECK_THAT(e.text, ContainsSubstring("1005 bytes") && ContainsSubstring("hash"));
}
