#include <sluice/offset_store/kafka.hpp>

#include "catch.hpp"
#include "contract.hpp"
#include "scripted_positions.hpp"

namespace sl = sluice;
using scripted::of;
using scripted::onward;
using scripted::soon;
using sl::outcome;
using namespace std::chrono_literals;
using store = sl::kafka_offsets::runtime;

static_assert(sl::policy_for<sl::kafka_offsets, sl::offset_store_slot>);
static_assert(sl::offset_store<store> && sl::transactional_store<store>);
static_assert(sl::kafka_offsets::fenced_by_group && sl::kafka_offsets::lives_in_group);
static_assert(store::durable_at_advance && store::fencing == sl::fencing::group);

namespace {

sl::context const somewhere{.brokers = "127.0.0.1:1", .group = "billing"};

struct bound {
  scripted::positions positions;
  store runtime = sl::kafka_offsets::open({}, somewhere);
  explicit bound(scripted::log_of_commits& group) : positions(group) { runtime.bind(positions); }
};
struct fixture {
  using store = ::store;
  scripted::log_of_commits group{};
  std::shared_ptr<store> open() {
    auto const b = std::make_shared<bound>(group);
    return {b, &b->runtime};
  }
  void forget(std::string const&, sl::topic_partition const& p) { group.at.erase(p); }
};

struct one {
  scripted::log_of_commits group{};
  scripted::positions positions{group};
  scripted::starts starts{};
  store runtime = sl::kafka_offsets::open({}, somewhere);
  std::vector<sl::claimed> claims{};
  one() {
    runtime.bind(positions);
    claims = runtime.claim("billing", of("orders", {0, 1, 2}), starts, soon());
    positions.stores.clear();
  }
  std::vector<outcome> advance(std::vector<sl::move> const& moves) {
    auto const o = runtime.advance(moves, soon());
    return {o.begin(), o.end()};
  }
  std::vector<outcome> settle(std::vector<sl::move> const& moves) {
    auto const o = runtime.settle(moves, soon());
    return {o.begin(), o.end()};
  }
  sl::offset stored(int p) { return group.at.at({"orders", p}).first; }
};
using all = std::vector<outcome>;

}  // namespace

TEST_CASE("kafka_offsets keeps the contract of stores") { contract::holds<fixture>(); }

TEST_CASE("an advance is one commit with what is known of the log") {
  one o;
  auto m = onward(o.claims[1], 7);
  m.log.last = sl::fingerprint{sl::offset{107}, 0xabc};
  CHECK(o.advance({onward(o.claims[0], 5), m}) == all{outcome::applied, outcome::applied});
  REQUIRE(o.positions.stores.size() == 1);
  CHECK(o.stored(0) == sl::offset{105});
  CHECK(o.stored(1) == sl::offset{108});
  auto const note = sl::read_note(o.group.at.at({"orders", 1}).second);
  REQUIRE(note);
  CHECK(note->log == m.log);
  CHECK(note->mine == m.mine);
  CHECK(sl::read_note(o.group.at.at({"orders", 0}).second)->partitions == 4);
}

TEST_CASE("what the own record refuses is not sent") {
  one o;
  auto stale = onward(o.claims[0], 5);
  stale.mine.nonce ^= 1;
  CHECK(o.advance({stale, onward(o.claims[1], 7)}) == all{outcome::refused, outcome::applied});
  REQUIRE(o.positions.stores.size() == 1);
  CHECK(o.positions.stores[0].size() == 1);
  CHECK(o.stored(0) == sl::offset{100});
  CHECK(o.advance({stale}) == all{outcome::refused});
  CHECK(o.positions.stores.size() == 1);
}

TEST_CASE("a partition that the group refuses is ours no more, until it is claimed again") {
  one o;
  o.positions.refuses = {{"orders", 0}};
  auto const m = onward(o.claims[0], 5);
  CHECK(o.advance({m, onward(o.claims[1], 7)}) == all{outcome::refused, outcome::applied});
  CHECK(o.settle({m}) == all{outcome::refused});
  o.positions.refuses.clear();
  CHECK(o.advance({m}) == all{outcome::refused});
  CHECK(o.positions.stores.size() == 1);
  auto const again = o.runtime.claim("billing", of("orders", {0}), o.starts, soon());
  CHECK(o.advance({onward(again[0], 5)}) == all{outcome::applied});
}

TEST_CASE("postponed changes nothing: the same advance may be tried again") {
  one o;
  o.positions.next_outcomes = {outcome::postponed};
  auto const m = onward(o.claims[0], 5);
  CHECK(o.advance({m}) == all{outcome::postponed});
  CHECK(o.stored(0) == sl::offset{100});
  CHECK(o.advance({m}) == all{outcome::applied});
  CHECK(o.stored(0) == sl::offset{105});
}

TEST_CASE("after unknown the client is abandoned once, before anything else is stored") {
  bool const landed = GENERATE(true, false);
  one o;
  o.positions.lands = landed;
  o.positions.next_outcomes = {outcome::unknown};
  auto const m = onward(o.claims[0], 5), other = onward(o.claims[1], 7);
  CHECK(o.advance({m}) == all{outcome::unknown});
  CHECK(o.positions.abandoned == 1);
  CHECK(o.settle({m}) == all{outcome::unknown});
  CHECK(o.advance({m, other}) == all{outcome::refused, outcome::refused});
  CHECK(o.runtime.record({{other.of, sl::offset{1}, other.mine, "seek"}}, soon())[0].what == sl::claimed::failed);
  CHECK(o.runtime.claim("billing", of("orders", {0}), o.starts, soon())[0].what == sl::claimed::failed);
  o.runtime.refresh(soon() + 9999h);
  CHECK(o.positions.abandoned == 1);
  CHECK(o.positions.stores.size() == 1);
  CHECK(o.positions.stores_after_abandon == 0);

  scripted::positions renewed{o.group};
  o.runtime.bind(renewed);
  CHECK(o.advance({other}) == all{outcome::refused});
  auto const c = o.runtime.claim("billing", of("orders", {0}), o.starts, soon());
  CHECK(c[0].next == (landed ? m.until : m.from));
  CHECK(o.advance({onward(c[0], 5)}) == all{outcome::applied});
}

TEST_CASE("what lay idle for a day is committed again") {
  one o;
  o.runtime.refresh(sl::time_point{1000h});
  o.runtime.refresh(sl::time_point{1024h});
  REQUIRE(o.positions.stores.size() == 1);
  CHECK(o.positions.stores[0].size() == 3);
  CHECK(o.stored(0) == sl::offset{100});
}

TEST_CASE("a lost partition is not committed again, however long it lies idle") {
  one o;
  o.runtime.lost({"orders", 0});
  o.runtime.refresh(sl::time_point{1000h});
  o.runtime.refresh(sl::time_point{1024h});
  REQUIRE(o.positions.stores.size() == 1);
  CHECK(o.positions.stores[0].size() == 2);
}

TEST_CASE("configuration faults say the key and the remedy") {
  auto why = scripted::complaint([] { sl::kafka_offsets::open({}, {.brokers = "b:1"}); });
  CHECK(why.find("kafka{.group") != why.npos);

  store plain = sl::kafka_offsets::open({}, somewhere);
  why = scripted::complaint([&] { plain.prepare_transactions(); });
  CHECK(why.find("kafka_offsets{.transactional_id}") != why.npos);
  CHECK(why.find("billing-1") != why.npos);
  CHECK_FALSE(scripted::complaint([&] { plain.begin({}, soon()); }).empty());
  CHECK_FALSE(scripted::complaint([&] { plain.set_aside("dead", {}); }).empty());

  store hasty = sl::kafka_offsets::open({.transactional_id = "a", .transaction_timeout = 10ms}, somewhere);
  why = scripted::complaint([&] { hasty.prepare_transactions(); });
  CHECK(why.find("kafka_offsets{.transaction_timeout}") != why.npos);
}
