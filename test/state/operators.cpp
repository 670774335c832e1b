#include <sluice/state/operators.hpp>

#include <sluice/output/all_of.hpp>

#include "kept_counts.hpp"
#include "thrown.hpp"

namespace {
using namespace kept_counts;
using tx_t = sl::sqlite_transaction;
}  // namespace

TEST_CASE("update_state_by_key calls for keys with news only, with or without key and transaction") {
  outside_with_file o;
  counter state{.name = "counts"};
  auto c = o.consumer();
  o.world.assign({p0});
  for (auto const* k : {"a", "b", "a"}) o.world.produce(p0, "v", k);
  int calls = 0;
  auto plain = sl::update_state_by_key(state, key_of, [&](auto records, auto& n) {
    ++calls;
    add(records, n);
  });
  drain_log(c, plain);
  CHECK(calls == 2);
  CHECK_FALSE(plain.wants_empty_batches);
  o.world.produce(p0, "v", "b");
  auto with_all = sl::update_state_by_key(
      state, key_of, [&](std::string const& key, auto records, std::optional<std::int64_t>& n, tx_t& tx) {
        add(records, n);
        tx.execute("create table seen (k text)");
        tx.execute("insert into seen values (?)", key);
      });
  drain_log(c, with_all);
  CHECK(rows(o.store.path, "select k from seen") == std::vector<std::string>{"b"});
  CHECK(o.counts() == counts_by_key{{"a", 2}, {"b", 2}});
  o.world.produce(p0, "v", "a");
  auto removing = sl::update_state_by_key(state, key_of, [](std::string const&, auto, auto& n) { n.reset(); });
  drain_log(c, removing);
  CHECK(o.counts() == counts_by_key{{"b", 2}});
}

TEST_CASE("map_with_state maps each record, and the end of a key's time, on empty batches too") {
  outside_with_file o;
  counter state{.name = "counts", .timeout = 3s};
  auto c = o.consumer(sl::micro_batch{.interval = 1s});
  o.world.assign({p0});
  std::vector<std::string> out;
  auto handler = sl::map_with_state(
      state, key_of,
      [](std::string const& key, sl::record const* r, std::optional<std::int64_t>& n) {
        n = n.value_or(0) + (r ? 1 : 0);
        return (r ? "" : "end of ") + key + std::to_string(*n);
      },
      [&](std::string const& text, tx_t& tx) {
        tx.execute("create table if not exists seen (n integer primary key, what text)");
        tx.execute("insert into seen (what) values (?)", text);
        out.push_back(text);
      });
  CHECK(handler.wants_empty_batches);
  o.world.produce(p0, "v", "a");
  o.world.produce(p0, "v", "b");
  o.world.produce(p0, "v", "a");
  steps(c, handler, 2);
  o.world.produce(p0, "v", "b");
  steps(c, handler, 8);
  std::vector<std::string> const wanted{"a1", "a2", "b1", "b2", "end of a2", "end of b2"};
  CHECK(out == wanted);
  CHECK(rows(o.store.path, "select what from seen order by n") == wanted);
  CHECK(o.counts().empty());
}

TEST_CASE("a zombie's empty batch changes no state") {
  outside_with_file o;
  counter state{.name = "counts", .timeout = 2s};
  auto c = o.consumer(sl::micro_batch{.interval = 1s});
  o.world.assign({p0});
  o.world.produce(p0, "v", "a");
  int ended = 0;
  auto handler = sl::update_state_by_key(state, key_of, add, [&](std::string const&, std::int64_t) { ++ended; });
  steps(c, handler, 2);
  REQUIRE(o.counts() == counts_by_key{{"a", 1}});
  REQUIRE(ended == 0);
  o.claimed_by_another(p0);
  for (int i = 0; i < 10 && ended == 0; ++i) c.step(handler, 1s);
  CHECK(ended == 1);
  CHECK(c.statistics().refused == 1);
  CHECK(o.counts() == counts_by_key{{"a", 1}});  // nothing of it was kept
}

TEST_CASE("two states of one name are refused: when all_of is made, else in the first batch that both change") {
  outside_with_file o;
  counter counts{.name = "counts"}, same{.name = "counts"}, other{.name = "others"};
  auto a = sl::update_state_by_key(counts, key_of, add), again = sl::update_state_by_key(counts, key_of, add);
  auto b = sl::update_state_by_key(same, key_of, add), c = sl::update_state_by_key(other, key_of, add);
  auto const why = error_of([&] { sl::all_of(a, b); });
  CHECK(why.code == sl::errc::bad_configuration);
  CHECK_THAT(why.text, ContainsSubstring("named \"counts\"") && ContainsSubstring("give each a .name of its own"));
  CHECK_THROWS_AS(sl::all_of(sl::all_of(c, a), b), sl::error);
  CHECK_NOTHROW(sl::all_of(a, again, c));

  o.world.assign({p0});
  auto by_hand = o.consumer(sl::skip{});
  o.world.produce(p0, "v", "k");
  drain_log(by_hand, a);
  o.world.produce(p0, "v", "k");
  drain_log(by_hand, b);  // in another batch: as if it had been made anew
  REQUIRE(o.counts() == counts_by_key{{"k", 2}});
  o.world.produce(p0, "v", "k");
  auto both = [&](sl::batch const& batch, tx_t& tx) {
    a(batch, tx);
    b(batch, tx);
  };
  auto const late = error_of([&] { drain_log(by_hand, both); });
  CHECK(late.code == sl::errc::bad_configuration);
  CHECK(late.of_store);
  CHECK_THAT(late.text, ContainsSubstring("named \"counts\"") && ContainsSubstring("Nothing was changed"));
  CHECK(o.counts() == counts_by_key{{"k", 2}});
  auto one_twice = [&](sl::batch const& batch, tx_t& tx) {
    a(batch, tx);
    again(batch, tx);
    c(batch, tx);
  };
  steps(by_hand, one_twice, 5);
  CHECK(o.counts() == counts_by_key{{"k", 4}});
}

TEST_CASE("without an interval a key whose time is over expires with its partition's next record") {
  outside_with_file o;
  counter state{.name = "counts", .timeout = 2s};
  auto c = o.consumer();
  o.world.assign({p0});
  std::vector<std::string> ended;
  auto handler =
      sl::update_state_by_key(state, key_of, add, [&](std::string const& key, std::int64_t) { ended.push_back(key); });
  o.world.produce(p0, "v", "a");
  steps(c, handler, 10);
  CHECK(o.counts() == counts_by_key{{"a", 1}});
  CHECK(ended.empty());
  o.world.produce(p0, "v", "b");
  steps(c, handler, 1);
  CHECK(ended == std::vector<std::string>{"a"});
  CHECK(o.counts() == counts_by_key{{"b", 1}});
}
