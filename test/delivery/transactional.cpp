#include <sluice/delivery/transactional.hpp>

#include "catch.hpp"
#include "scripted_consumer.hpp"

using namespace scripted;

namespace {
using tx_t = offsets::transaction;

/// Every record's effect, in the transaction.
auto const into_tx = [](sl::batch const& b, tx_t& tx) {
  for (auto const& r : b) tx.put(r);
};
/// Each record once and in order, and the offset behind the last of them.
void exactly_once(outside& o, of_t const& of, std::int64_t n) {
  CHECK(offsets_of(of, o.disk.effects) == upto(n));
  CHECK(o.disk.next(of) == n);
}

/// The answers to each advance, in order.
struct answers {
  using slot = sl::observer_slot;
  std::vector<std::vector<sl::outcome>>* to;
  void on_advanced(sl::advance_event const& e) const { to->emplace_back(e.outcomes.begin(), e.outcomes.end()); }
};
}  // namespace

TEST_CASE("transactional: results and offset hold together") {
  outside o{2};
  {
    auto c = o.start<sl::transactional>();
    o.world.assign({p0, p1});
    o.world.produce(p0, 3);
    o.world.produce(p1, 3);
    drain_log(c, into_tx);
  }
  exactly_once(o, p0, 3);
  exactly_once(o, p1, 3);
  CHECK(o.world.wrong() == "");
}

TEST_CASE("transactional: whatever the commit answers, each effect is there once") {
  auto const what = GENERATE(act::refuse, act::lose, act::unheard, act::postpone);
  bool const settles = GENERATE(true, false);
  outside o{2};
  std::vector<std::vector<sl::outcome>> told;
  auto c = o.start<sl::transactional>(answers{&told});
  o.world.assign({p0, p1});
  o.world.produce(p0, 3);
  o.world.produce(p1, 3);
  o.disk.commits = {{what}};
  if (!settles) o.disk.settles = {{act::lose}};
  // settle() tells what became of a transaction, and never makes offsets without results
  if (settles && what == act::lose) o.disk.settles = {{act::refuse}};
  steps(c, into_tx, 8);
  exactly_once(o, p0, 3);
  exactly_once(o, p1, 3);
  REQUIRE_FALSE(told.empty());
  if (what == act::refuse) CHECK(told[0] == std::vector{sl::outcome::refused, sl::outcome::refused});
  if (what == act::postpone) CHECK(told[0] == std::vector{sl::outcome::postponed, sl::outcome::postponed});
  c.close();
  CHECK(o.world.wrong() == "");
}

TEST_CASE("transactional: some refused inside it: rolled back, and run again at once with the rest") {
  outside o{3};
  int runs = 0;
  auto c = o.start<sl::transactional>();
  o.world.assign({p0, p1, p2});
  for (auto const& p : {p0, p1, p2}) o.world.produce(p, 2);
  o.disk.advances = {{act::refuse, p1}};
  c.step([&](sl::batch const& b, tx_t& tx) {
    ++runs;
    into_tx(b, tx);
  });
  CHECK(runs == 2);
  CHECK(o.disk.rolled_back == 1);
  exactly_once(o, p0, 2);
  exactly_once(o, p2, 2);
  CHECK(offsets_of(p1, o.disk.effects).empty());
  steps(c, into_tx, 5);
  exactly_once(o, p1, 2);
  c.close();
  CHECK(o.world.wrong() == "");
}

TEST_CASE("transactional: postponed inside it: rolled back, kept in hand, run again later") {
  outside o;
  auto c = o.start<sl::transactional>();
  o.world.assign({p0});
  o.world.produce(p0, 2);
  o.disk.advances = {{act::postpone}};
  CHECK(c.step(into_tx).what == sl::step_result::retrying);
  CHECK(o.disk.effects.empty());
  steps(c, into_tx, 3);
  exactly_once(o, p0, 2);
}

TEST_CASE("transactional: the store fails at begin, inside and at commit: the same batch again, no effect twice") {
  outside o;
  o.world.produce(p0, 3);
  auto c = o.start<sl::transactional>();
  o.world.assign({p0});
  SECTION("begin") { o.disk.begins_down = 1; }
  SECTION("advance") { o.disk.advances = {{act::down}}; }
  SECTION("commit") { o.disk.commits = {{act::down}}; }
  CHECK(code_of([&] { c.step(into_tx); }) == sl::errc::store_unavailable);
  steps(c, into_tx, 3);
  exactly_once(o, p0, 3);
}

TEST_CASE("transactional: the handler's store_error is the store's, whatever the policy") {
  outside o;
  o.world.produce(p0, 1);
  auto c = o.start<sl::transactional>(sl::skip{});
  o.world.assign({p0});
  int calls = 0;
  auto const handler = [&](sl::batch const& b, tx_t& tx) {
    if (++calls <= 3) throw sl::store_error(sl::errc::store_unavailable, "connection lost");
    into_tx(b, tx);
  };
  CHECK(c.step(handler).what == sl::step_result::retrying);
  steps(c, handler, 8);
  CHECK(c.statistics().store_failures == 3);
  CHECK(c.statistics().skipped == 0);
  CHECK(o.disk.letters.empty());
  exactly_once(o, p0, 1);
}

TEST_CASE(
    "transactional: where another transaction was in the way the batch runs again, even if failures are to stop") {
  outside o;
  o.world.produce(p0, 1);
  auto c = o.start<sl::transactional>();
  o.world.assign({p0});
  int calls = 0;
  auto const handler = [&](sl::batch const& b, tx_t& tx) {
    into_tx(b, tx);
    if (++calls <= 2) throw sl::store_conflict(sl::errc::conflict, "another was faster");
  };
  CHECK(c.step(handler).what == sl::step_result::retrying);
  steps(c, handler, 8);
  CHECK(calls == 3);
  exactly_once(o, p0, 1);
}

TEST_CASE("transactional: a handler that throws leaves nothing behind") {
  bool const standard = GENERATE(true, false);
  outside o;
  o.world.produce(p0, 3);
  auto c = o.start<sl::transactional>();
  o.world.assign({p0});
  auto const failing = [&](sl::batch const& b, tx_t& tx) {
    into_tx(b, tx);
    if (standard) throw std::runtime_error("poison");
    throw 42;
  };
  if (standard)
    CHECK_THROWS_WITH(c.step(failing), "poison");
  else
    CHECK(code_of([&] { c.step(failing); }) == sl::errc::handler_failed);
  CHECK(o.disk.rolled_back == 1);
  drain_log(c, into_tx);
  exactly_once(o, p0, 3);
}

namespace {
/// Half an effect, then the poison.
template <class Transaction>
auto poisoned_at(std::set<std::int64_t> bad) {
  return sl::each([bad](sl::record r, Transaction& tx) {
    tx.put(r);
    if (bad.contains(r.offset().value())) throw std::runtime_error("poison " + std::to_string(r.offset().value()));
  });
}
}  // namespace

TEMPLATE_TEST_CASE("transactional, each, dead letters: in the same transaction; no half effects", "", offsets,
                   offsets_without_savepoints) {
  outside o;
  o.world.produce(p0, 6);
  sl::stream_consumer<sl::transactional, TestType, source, manual_clock, sl::dead_letter_table> c{
      o.reading(), TestType{&o.disk}, manual_clock{&o.world}};
  o.world.assign({p0});
  auto handler = poisoned_at<typename TestType::transaction>({1, 4});
  SECTION("committed at once") {}
  SECTION("commit refused") { o.disk.commits = {{act::refuse}}; }
  SECTION("the transaction's own failure") { o.disk.advances = {{act::down}}; }
  steps(c, handler, 6);
  CHECK(offsets_of(p0, o.disk.effects) == std::vector<std::int64_t>{0, 2, 3, 5});
  REQUIRE(o.disk.letters.size() == 2);
  CHECK(o.disk.letters[0].at == 1);
  CHECK(o.disk.letters[1].at == 4);
  CHECK(o.disk.letters[1].error == "poison 4");
  CHECK(o.disk.letters[0].place == "sluice_dead_letters");
  CHECK(c.statistics().dead_letters == 2);
  CHECK(o.disk.next(p0) == 6);
}

TEMPLATE_TEST_CASE("transactional: what the store finds impossible at the commit is the handler's failure", "", offsets,
                   offsets_without_savepoints) {
  constexpr bool tells_which = std::same_as<TestType, offsets_without_savepoints>;
  using tx = typename TestType::transaction;
  outside o;
  o.world.produce(p0, 6);
  o.disk.impossible = {{p0, 1}, {p0, 4}};
  auto each = sl::each([](sl::record r, tx& t) { t.put(r); });
  auto whole = [](sl::batch const& b, tx& t) {
    for (auto const& r : b) t.put(r);
  };
  SECTION("stop throws it, and the batch comes again") {
    sl::stream_consumer<sl::transactional, TestType, source, manual_clock> c{o.reading(), TestType{&o.disk},
                                                                             manual_clock{&o.world}};
    o.world.assign({p0});
    CHECK(complaint_of(c, whole) == sl::errc::bad_statement);
    CHECK(complaint_of(c, each) == sl::errc::bad_statement);
    CHECK(o.disk.next(p0) == 0);
    o.disk.impossible.clear();
    steps(c, each, 3);
    exactly_once(o, p0, 6);
  }
  SECTION("retry calls again") {
    sl::stream_consumer<sl::transactional, TestType, source, manual_clock, sl::retry<>> c{
        o.reading(), TestType{&o.disk}, manual_clock{&o.world}, sl::retry<>{.times = 2, .backoff = 10ms}};
    o.world.assign({p0});
    CHECK(complaint_of(c, each) == sl::errc::bad_statement);
    CHECK(c.statistics().retries == 2);
    CHECK(c.statistics().store_failures == 0);
  }
  SECTION("a dead letter: of the record where the store tells which, else of the batch") {
    sl::stream_consumer<sl::transactional, TestType, source, manual_clock, sl::dead_letter_table> c{
        o.reading(), TestType{&o.disk}, manual_clock{&o.world}};
    o.world.assign({p0});
    std::vector<std::int64_t> letters;
    bool const one_by_one = GENERATE(true, false);
    if (one_by_one)
      steps(c, each, 6);
    else
      steps(c, whole, 6);
    for (auto const& l : o.disk.letters) letters.push_back(l.at);
    if (tells_which && one_by_one) {
      CHECK(letters == std::vector<std::int64_t>{1, 4});
      CHECK(offsets_of(p0, o.disk.effects) == std::vector<std::int64_t>{0, 2, 3, 5});
    } else {
      CHECK(letters == upto(6));
      CHECK(o.disk.effects.empty());
    }
    CHECK(o.disk.next(p0) == 6);
  }
}

TEST_CASE("transactional, a batch handler that fails for good: all of the batch is set aside, with the offset") {
  outside o;
  o.world.produce(p0, 3);
  auto c = o.start<sl::transactional>(sl::retry<sl::skip>{.times = 2, .backoff = 10ms, .then = {}});
  o.world.assign({p0});
  int calls = 0;
  auto const failing = [&](sl::batch const& b, tx_t& tx) {
    ++calls;
    into_tx(b, tx);
    throw std::runtime_error("poison");
  };
  steps(c, failing, 6);
  CHECK(calls == 3);
  CHECK(o.disk.effects.empty());
  CHECK(o.disk.letters.size() == 3);
  CHECK(o.disk.letters[0].place == "");
  CHECK(o.disk.letters[0].attempts == 3);
  CHECK(c.statistics().skipped == 3);
  CHECK(o.disk.next(p0) == 3);
}

TEST_CASE("transactional: a dead letter that fails stops, and never advances") {
  bool const one_by_one = GENERATE(true, false);
  outside o;
  o.world.produce(p0, 3);
  auto c = o.start<sl::transactional>(sl::dead_letter_table{});
  o.world.assign({p0});
  o.disk.letters_fail = true;
  auto each = poisoned_at<tx_t>({1});
  auto const whole = [](sl::batch const&, tx_t&) { throw std::runtime_error("poison"); };
  for (int i = 0; i < 3; ++i)
    CHECK(code_of([&] { one_by_one ? c.step(each) : c.step(whole); }) == sl::errc::dead_letter_failed);
  CHECK(o.disk.next(p0) == 0);
  CHECK(o.disk.effects.empty());
  o.disk.letters_fail = false;
  one_by_one ? c.step(each) : c.step(whole);
  CHECK(o.disk.next(p0) == 3);
  CHECK(o.disk.letters.size() == (one_by_one ? 1 : 3));
}
