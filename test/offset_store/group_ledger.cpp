#include <sluice/offset_store/group_ledger.hpp>

#include "catch.hpp"
#include "scripted_positions.hpp"

namespace sl = sluice;
using scripted::onward;
using scripted::soon;
using sl::outcome;
using namespace std::chrono_literals;

namespace {

struct fixture {
  scripted::log_of_commits group{};
  scripted::positions positions{group};
  sl::detail::group_ledger ledger{};
  sl::claimed mine{.of = {"orders", 1}, .next = sl::offset{10}, .log = {.incarnation = 5}, .mine = {3, 9}};

  fixture() { start(); }
  void start() {
    ledger.bind(positions);
    ledger.put(mine.of, {.next = mine.next, .log = mine.log, .mine = mine.mine, .partitions = 0, .there = true});
  }
  outcome store(sl::move const& m) {
    if (auto const known = ledger.answered_here(m)) return *known;
    auto const answer = ledger.commit({ledger.position_of(m)}, soon())[0];
    if (answer == outcome::applied) ledger.moved(m);
    return answer;
  }
};

}  // namespace

TEST_CASE("nothing can be stored before a client is bound") {
  sl::detail::group_ledger ledger;
  CHECK(ledger.answered_here({}) == outcome::refused);
  CHECK(ledger.commit({{}}, soon()) == std::vector{outcome::refused});
  CHECK(ledger.record({{}}, soon())[0].what == sl::claimed::failed);
  ledger.refresh(soon());
}

TEST_CASE("fence and position are compared with what was claimed and stored here") {
  fixture f;
  auto const m = onward(f.mine, 5);
  auto wrong = m;
  wrong.mine.nonce = 8;
  CHECK(f.store(wrong) == outcome::refused);
  wrong = m;
  wrong.mine.turn = 2;
  CHECK(f.store(wrong) == outcome::refused);
  wrong = m;
  wrong.from = sl::offset{9};
  CHECK(f.store(wrong) == outcome::refused);
  wrong = m;
  wrong.of.partition = 2;
  CHECK(f.store(wrong) == outcome::refused);
  CHECK(f.positions.stores.empty());

  CHECK(f.store(m) == outcome::applied);
  CHECK(f.store(m) == outcome::applied);
  CHECK(f.positions.stores.size() == 1);
  CHECK(f.group.at.at(m.of).first == m.until);
  wrong = m;
  wrong.until = sl::offset{99};
  CHECK(f.store(wrong) == outcome::refused);
}

TEST_CASE("a move that goes nowhere is committed each time, under its fence") {
  fixture f;
  auto const still = onward(f.mine, 0);
  REQUIRE(still.from == still.until);
  CHECK_FALSE(f.ledger.answered_here(still));
  CHECK(f.ledger.is_stored(still));
  CHECK(f.store(still) == outcome::applied);
  CHECK(f.store(still) == outcome::applied);
  CHECK(f.positions.stores.size() == 2);
  auto wrong = still;
  wrong.mine.nonce = 8;
  CHECK(f.store(wrong) == outcome::refused);
  CHECK_FALSE(f.ledger.is_stored(wrong));
  CHECK_FALSE(f.ledger.is_stored(onward(f.mine, 1)));
}

TEST_CASE("after a commit without an answer nothing is stored until a client is bound anew") {
  fixture f;
  f.positions.next_outcomes = {outcome::unknown};
  CHECK(f.store(onward(f.mine, 5)) == outcome::unknown);
  CHECK(f.positions.abandoned == 1);
  CHECK(f.ledger.abandoned());

  CHECK(f.store(onward(f.mine, 5)) == outcome::refused);
  CHECK(f.ledger.record({{f.mine.of, sl::offset{1}, f.mine.mine, "seek"}}, soon())[0].what == sl::claimed::failed);
  f.ledger.refresh(soon() + 1000h);
  CHECK(f.positions.abandoned == 1);
  CHECK(f.positions.stores_after_abandon == 0);

  f.ledger.bind(f.positions);
  CHECK_FALSE(f.ledger.abandoned());
  CHECK(f.store(onward(f.mine, 5)) == outcome::refused);
  CHECK(f.ledger.find(f.mine.of) == nullptr);
}

TEST_CASE("an answer that lacks a partition is no answer") {
  struct short_of_words : scripted::positions {
    using positions::positions;
    std::vector<outcome> store(std::vector<sl::group_position> const&, sl::time_point) override { return {}; }
  };
  fixture f;
  short_of_words positions{f.group};
  f.ledger.bind(positions);
  CHECK(f.ledger.commit({{.of = f.mine.of}}, soon()) == std::vector{outcome::unknown});
  CHECK(positions.abandoned == 1);
}

TEST_CASE("one commit is in flight at a time") {
  fixture f;
  f.positions.busy_for = 3;
  CHECK(f.store(onward(f.mine, 5)) == outcome::applied);
  CHECK(f.positions.busy_for == 0);
  f.positions.busy_for = 1'000'000;
  auto m = onward(f.mine, 6);
  m.from = sl::offset{15};
  CHECK(f.ledger.commit({f.ledger.position_of(m)}, std::chrono::steady_clock::now() + 5ms)[0] == outcome::postponed);
  CHECK(f.positions.stores.size() == 1);
}

TEST_CASE("a rewind is committed with its cause, under a new fence and a larger incarnation") {
  fixture f;
  auto const far_ahead = std::int64_t{1} << 50;
  f.mine.log.incarnation = far_ahead;
  f.mine.log.last = sl::fingerprint{sl::offset{9}, 1};
  f.start();
  auto const old = f.mine.mine;
  auto const answers =
      f.ledger.record({{f.mine.of, sl::offset{2}, old, "seek"}, {f.mine.of, sl::offset{3}, {}, "no"}}, soon());
  REQUIRE(answers.size() == 2);
  CHECK(answers[0].what == sl::claimed::stored);
  CHECK(answers[0].log.incarnation == far_ahead + 1);
  CHECK_FALSE(answers[0].log.last);
  CHECK(answers[0].mine != old);
  CHECK(answers[1].what == sl::claimed::failed);
  auto const& [next, text] = f.group.at.at(f.mine.of);
  CHECK(next == sl::offset{2});
  auto const note = sl::read_note(text);
  REQUIRE(note);
  CHECK(note->cause == "seek");
  CHECK(note->mine == answers[0].mine);
  CHECK(note->log == answers[0].log);
  CHECK(f.store(onward(f.mine, 5)) == outcome::refused);
  CHECK(f.store(onward(answers[0], 5)) == outcome::applied);
}

TEST_CASE("a rewind that is not stored changes nothing") {
  fixture f;
  f.positions.next_outcomes = {outcome::postponed, outcome::refused};
  for (int i = 0; i < 2; ++i) {
    auto const a = f.ledger.record({{f.mine.of, sl::offset{2}, f.mine.mine, "seek"}}, soon());
    CHECK(a[0].what == sl::claimed::failed);
    CHECK_FALSE(a[0].why.empty());
  }
  CHECK(f.store(onward(f.mine, 5)) == outcome::applied);
}

TEST_CASE("a release needs the fence") {
  fixture f;
  auto late = f.mine;
  late.mine.nonce = 1;
  f.ledger.release({late});
  CHECK(f.ledger.find(f.mine.of));
  f.ledger.release({f.mine});
  CHECK_FALSE(f.ledger.find(f.mine.of));
}

TEST_CASE("what does not move for a day is committed again, what moves is not") {
  fixture f;
  sl::time_point now{1000h};
  f.ledger.refresh(now);
  CHECK(f.positions.stores.empty());
  for (int hour = 1; hour < 24; ++hour) f.ledger.refresh(now + std::chrono::hours{hour});
  CHECK(f.positions.stores.empty());
  f.ledger.refresh(now + 24h);
  REQUIRE(f.positions.stores.size() == 1);
  CHECK(f.positions.stores[0][0].next == sl::offset{10});
  CHECK(sl::read_note(f.positions.stores[0][0].note)->mine == f.mine.mine);
  f.ledger.refresh(now + 24h + 1min);
  f.ledger.refresh(now + 47h);
  CHECK(f.positions.stores.size() == 1);
  CHECK(f.store(onward(f.mine, 5)) == outcome::applied);
  f.ledger.refresh(now + 48h);
  CHECK(f.positions.stores.size() == 2);  // the advance's own
  f.ledger.refresh(now + 72h);
  CHECK(f.positions.stores.size() == 3);
}

TEST_CASE("a refused repetition gives the partition up") {
  fixture f;
  f.ledger.refresh(sl::time_point{1000h});
  f.positions.next_outcomes = {outcome::refused};
  f.ledger.refresh(sl::time_point{1024h});
  CHECK(f.store(onward(f.mine, 5)) == outcome::refused);
}
