#include <sluice/offset_store/periodic_kafka.hpp>

#include "catch.hpp"
#include "contract.hpp"
#include "scripted_positions.hpp"

namespace sl = sluice;
using scripted::of;
using scripted::onward;
using scripted::soon;
using sl::outcome;
using namespace std::chrono_literals;
using store = sl::periodic_kafka_offsets::runtime;

static_assert(sl::policy_for<sl::periodic_kafka_offsets, sl::offset_store_slot>);
static_assert(sl::offset_store<store> && !sl::transactional_store<store>);
static_assert(sl::periodic_kafka_offsets::stores_after_handling && sl::periodic_kafka_offsets::lives_in_group);
static_assert(!store::durable_at_advance && store::fencing == sl::fencing::group);

namespace {

/// Flushes when it is closed, as the consumer does.
struct bound {
  scripted::positions positions;
  store runtime = sl::periodic_kafka_offsets::open({}, {});
  explicit bound(scripted::log_of_commits& group) : positions(group) { runtime.bind(positions); }
  ~bound() { runtime.flush(soon()); }
};
struct fixture {
  using store = ::store;
  scripted::log_of_commits group{};
  std::shared_ptr<store> open() {
    auto const b = std::make_shared<bound>(group);
    opened.push_back(b);
    return {b, &b->runtime};
  }
  void forget(std::string const&, sl::topic_partition const& p) { group.at.erase(p); }
  std::vector<std::weak_ptr<bound>> opened{};
};
/// stands_at() opens a second runtime while the first one lives: flush those first.
struct flushing : fixture {
  std::shared_ptr<store> open() {
    for (auto const& weak : opened)
      if (auto const b = weak.lock()) b->runtime.flush(soon());
    return fixture::open();
  }
};

struct told {
  std::vector<sl::group_position> sent;
  std::string error;
};
struct one {
  scripted::log_of_commits group{};
  scripted::positions positions{group};
  scripted::starts starts{};
  std::vector<told> heard{};
  store runtime;
  std::vector<sl::claimed> claims{};
  sl::time_point now{100h};
  one()
      : runtime(sl::periodic_kafka_offsets::open(
            {.interval = 1000ms,
             .on_commit = [this](auto sent, auto const& e) { heard.push_back({{sent.begin(), sent.end()}, e}); }},
            {})) {
    runtime.bind(positions);
    claims = runtime.claim("billing", of("orders", {0, 1}), starts, soon());
    positions.stores.clear();
    runtime.refresh(now);
  }
  outcome advance(int i, int by) {
    auto& c = claims[static_cast<std::size_t>(i)];
    std::vector moves{onward(c, by)};
    auto const o = runtime.advance(moves, soon())[0];
    if (o == outcome::applied) c.next = moves[0].until;
    return o;
  }
  sl::offset stored(int p) { return group.at.at({"orders", p}).first; }
};

}  // namespace

TEST_CASE("periodic_kafka_offsets keeps the contract of stores") { contract::holds<flushing>(); }

TEST_CASE("an advance is remembered, and committed in the background when the interval has passed") {
  one o;
  CHECK(o.advance(0, 5) == outcome::applied);
  CHECK(o.advance(0, 5) == outcome::applied);
  o.runtime.refresh(o.now + 999ms);
  CHECK(o.positions.background.empty());
  CHECK(o.stored(0) == sl::offset{100});
  CHECK(o.runtime.next_due() == o.now + 1000ms);
  o.runtime.refresh(o.now + 1000ms);
  REQUIRE(o.positions.background.size() == 1);
  CHECK(o.positions.background[0].size() == 1);
  CHECK(o.stored(0) == sl::offset{110});
  CHECK(o.positions.stores.empty());
  o.runtime.refresh(o.now + 1001ms);
  REQUIRE(o.heard.size() == 1);
  CHECK(o.heard[0].error.empty());
  CHECK(o.heard[0].sent[0].next == sl::offset{110});
  o.runtime.refresh(o.now + 5000ms);
  CHECK(o.positions.background.size() == 1);
  CHECK_FALSE(o.runtime.next_due());
}

TEST_CASE("one commit is in flight; what failed is told and sent again") {
  one o;
  o.advance(0, 5);
  o.positions.background_error = "no coordinator";
  o.runtime.refresh(o.now + 1000ms);
  o.positions.busy_for = 2;
  o.advance(1, 7);
  o.runtime.refresh(o.now + 2000ms);
  o.runtime.refresh(o.now + 3000ms);
  CHECK(o.positions.background.size() == 1);
  CHECK(o.heard.empty());
  o.runtime.refresh(o.now + 4000ms);
  REQUIRE(o.heard.size() == 1);
  CHECK(o.heard[0].error == "no coordinator");
  REQUIRE(o.positions.background.size() == 2);
  CHECK(o.positions.background[1].size() == 2);
}

TEST_CASE("a flush stores what was handled and waits for the answer") {
  one o;
  o.advance(0, 5);
  o.advance(1, 7);
  CHECK(o.runtime.flush(soon()));
  REQUIRE(o.positions.stores.size() == 1);
  CHECK(o.stored(0) == sl::offset{105});
  CHECK(o.stored(1) == sl::offset{108});
  CHECK(o.heard.size() == 1);
  CHECK(o.runtime.flush(soon()));
  CHECK(o.positions.stores.size() == 1);
}

TEST_CASE("a flush waits out what is on its way, never longer than it may") {
  one o;
  o.advance(0, 5);
  o.runtime.refresh(o.now + 1000ms);
  o.advance(0, 5);
  o.positions.busy_for = 2;
  CHECK(o.runtime.flush(soon()));
  CHECK(o.stored(0) == sl::offset{110});
  o.advance(0, 5);
  o.runtime.refresh(o.now + 9000ms);
  o.positions.busy_for = 1'000'000;
  CHECK_FALSE(o.runtime.flush(std::chrono::steady_clock::now() + 5ms));
  CHECK(o.positions.stores.size() == 1);
}

TEST_CASE("a flush that is not answered abandons the client, and nothing is stored after it") {
  one o;
  o.advance(0, 5);
  o.positions.next_outcomes = {outcome::unknown};
  CHECK_FALSE(o.runtime.flush(soon()));
  CHECK(o.positions.abandoned == 1);
  CHECK_FALSE(o.heard[0].error.empty());
  CHECK(o.advance(0, 5) == outcome::refused);
  o.runtime.refresh(o.now + 9000ms);
  CHECK_FALSE(o.runtime.flush(soon()));
  CHECK(o.positions.stores_after_abandon == 0);
  CHECK(o.positions.abandoned == 1);
}

TEST_CASE("a flush that was postponed or refused is sent again, as long as the partition is not lost") {
  one o;
  o.advance(0, 5);
  o.positions.next_outcomes = {outcome::postponed, outcome::refused};
  CHECK_FALSE(o.runtime.flush(soon()));
  CHECK_FALSE(o.runtime.flush(soon()));
  CHECK(o.advance(0, 5) == outcome::applied);
  CHECK(o.runtime.flush(soon()));
  CHECK(o.positions.stores.size() == 3);
  CHECK(o.stored(0) == sl::offset{110});
}

TEST_CASE("an older fence, a wrong from and a released partition are refused") {
  one o;
  auto m = onward(o.claims[0], 5);
  m.mine.nonce ^= 1;
  CHECK(o.runtime.advance(std::vector{m}, soon())[0] == outcome::refused);
  m = onward(o.claims[0], 5);
  m.from = sl::offset{99};
  CHECK(o.runtime.advance(std::vector{m}, soon())[0] == outcome::refused);
  o.runtime.release({o.claims[0]}, soon());
  CHECK(o.advance(0, 5) == outcome::refused);
  CHECK(o.advance(1, 5) == outcome::applied);
}

TEST_CASE("what was handled of a lost partition is never committed: another member may be further") {
  one o;
  o.advance(0, 5);
  o.advance(1, 5);
  o.runtime.lost(o.claims[0].of);
  CHECK(o.runtime.flush(soon()));
  CHECK(o.stored(0) == sl::offset{100});
  CHECK(o.stored(1) == sl::offset{106});
  CHECK(o.advance(0, 5) == outcome::refused);
}

TEST_CASE("a claim of what is ours resumes behind what was handled") {
  one o;
  o.advance(0, 5);
  auto const again = o.runtime.claim("billing", of("orders", {0}), o.starts, soon());
  CHECK(again[0].next == sl::offset{105});
}

TEST_CASE("a rewind is not overtaken by what waits") {
  one o;
  o.advance(0, 5);
  auto const back = o.runtime.record({{o.claims[0].of, sl::offset{3}, o.claims[0].mine, "seek"}}, soon());
  CHECK(back[0].what == sl::claimed::stored);
  CHECK_FALSE(o.runtime.next_due().has_value());
  CHECK(o.runtime.flush(soon()));
  CHECK(o.stored(0) == sl::offset{3});
}

TEST_CASE("an interval of nothing is refused") {
  auto const why = scripted::complaint([] { sl::periodic_kafka_offsets::open({.interval = 0ms}, {}); });
  CHECK(why.find("periodic_kafka_offsets::interval") != why.npos);
  CHECK(why.find("use kafka_offsets") != why.npos);
}
