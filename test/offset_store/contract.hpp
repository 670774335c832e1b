/// \file contract.hpp  What every offset store must do, written once and run on each of them.
///
/// A fixture stands for one store, fresh for each fixture object, that outlives the runtimes opened on it:
///
///     struct sqlite_fixture {
///       using store = sl::sqlite_offsets::runtime;
///       std::unique_ptr<store> open();   // any pointer-like thing; several may live at once, and one after another
///       // where it can:
///       std::string group();                                                // otherwise "billing"
///       void forget(std::string const& group, sl::topic_partition const&);  // removes a position behind the store's back
///       std::vector<std::string> causes();                                  // of all recorded rewinds
///       void write(store::transaction&, std::string const&);                // a result, inside the transaction
///       std::vector<std::string> results();                                 // all results that are there, sorted
///     };
///     TEST_CASE("sqlite_offsets keeps the contract of stores") { contract::holds<sqlite_fixture>(); }
///
/// Which cases are run follows from `store::fencing`.
#pragma once
#include <sluice/offset_store/concept.hpp>

#include <algorithm>
#include <atomic>
#include <latch>
#include <map>
#include <memory>
#include <random>
#include <thread>

#include "catch.hpp"
#include "on_fresh.hpp"

namespace contract {

namespace sl = sluice;
using sl::offset;
using sl::outcome;
using namespace std::chrono_literals;

inline sl::time_point soon() { return std::chrono::steady_clock::now() + 10s; }

inline std::int64_t wall_ms() {
  return std::chrono::floor<std::chrono::milliseconds>(std::chrono::system_clock::now()).time_since_epoch().count();
}

/// Starts as given; the earliest of a partition is 100 + its number.
struct resolver final : sl::start_resolver {
  std::map<std::string, std::vector<offset>> topics{};
  int asked = 0;
  std::vector<sl::topic_partition> asked_earliest{};
  explicit resolver(std::map<std::string, std::vector<offset>> t) : topics(std::move(t)) {}
  sl::topic_start start_of(std::string const& topic, sl::time_point) override {
    ++asked;
    return {topic, topics.at(topic)};
  }
  offset earliest(sl::topic_partition const& of, sl::time_point) override {
    asked_earliest.push_back(of);
    return offset{100 + of.partition};
  }
};

inline std::vector<sl::topic_partition> partitions(std::string const& topic, std::vector<int> const& numbers) {
  std::vector<sl::topic_partition> set;
  for (int const n : numbers) set.push_back({topic, n});
  return set;
}

inline std::vector<int> up_to(int n) {
  std::vector<int> all(static_cast<std::size_t>(n));
  for (int i = 0; i < n; ++i) all[static_cast<std::size_t>(i)] = i;
  return all;
}

template <class F>
std::string group_of(F& f) {
  if constexpr (requires { f.group(); }) return f.group();
  return "billing";
}

/// Asks again while the answer is "try again". Used in threads too, so it throws where a test would fail.
template <class S>
std::vector<sl::claimed> claim(S& s, std::string const& group, std::vector<sl::topic_partition> const& set,
                               resolver& r) {
  for (auto const give_up = soon(); std::chrono::steady_clock::now() < give_up; std::this_thread::yield()) {
    auto answer = s.claim(group, set, r, soon());
    if (answer.size() != set.size()) throw std::logic_error("a claim must answer for each partition");
    for (std::size_t i = 0; i < set.size(); ++i)
      if (answer[i].of != set[i]) throw std::logic_error("a claim must answer in the order of the set");
    if (std::ranges::none_of(answer, [](auto const& c) { return c.what == c.busy || c.what == c.failed; }))
      return answer;
  }
  throw std::logic_error("the claim was never answered");
}

inline sl::move to(sl::claimed const& c, std::int64_t until) {
  return {.of = c.of, .from = c.next, .until = offset{until}, .mine = c.mine, .log = c.log};
}

inline std::vector<outcome> copy(std::span<outcome const> o) { return {o.begin(), o.end()}; }

template <class S>
std::vector<outcome> advance(S& s, std::vector<sl::move> const& moves) {
  return copy(s.advance(moves, soon()));
}

/// Where the store stands, told by a claim of a runtime of its own (so every earlier fence is void afterwards).
template <class F>
std::vector<offset> stands_at(F& f, std::vector<sl::topic_partition> const& set) {
  resolver r{{}};
  auto const s = f.open();
  std::vector<offset> next;
  for (auto const& c : claim(*s, group_of(f), set, r)) next.push_back(c.next);
  return next;
}

using all = std::vector<outcome>;
using texts = std::vector<std::string>;

// ---- for the tests that stores have beside the contract: a file says `using namespace contract;`

inline resolver orders() { return resolver{{{"orders", {offset{10}, offset{20}}}}}; }

/// Partitions of `orders`, claimed by a runtime on the fixture.
template <class Store>
struct claimed_orders {
  resolver r;
  std::vector<sl::topic_partition> set;
  Store s;
  std::vector<sl::claimed> c;
};
template <class F>
auto claim_orders(F& f, std::vector<int> const& numbers = {0, 1}) {
  auto r = orders();
  auto set = partitions("orders", numbers);
  auto s = f.open();
  auto c = claim(*s, group_of(f), set, r);
  return claimed_orders<decltype(s)>{std::move(r), std::move(set), std::move(s), std::move(c)};
}

// ---- the cases

/// The first claim stores the starts of all partitions before it returns, those that it did not claim too.
template <class F>
void first_claim(F& f) {
  resolver r{{{"orders", {offset{10}, offset{20}, offset{30}}}, {"clicks", {offset{5}}}}};
  auto const before = wall_ms();
  {
    auto const s = f.open();
    auto const c =
        claim(*s, group_of(f), {sl::topic_partition{"orders", 1}, {"clicks", 0}, sl::topic_partition{"orders", 0}}, r);
    for (auto const& one : c) {
      CHECK(one.what == one.first);
      CHECK(one.log.incarnation >= before);
      CHECK(one.log.incarnation <= wall_ms());
      CHECK_FALSE(one.log.last);
    }
    CHECK(c[0].next == offset{20});
    CHECK(c[1].next == offset{5});
    CHECK(c[2].next == offset{10});
    CHECK(r.asked == 2);
  }
  resolver moved{{{"orders", {offset{11}, offset{21}, offset{31}}}}};
  auto const s = f.open();
  auto const c = claim(*s, group_of(f), partitions("orders", {0, 1, 2}), moved);
  for (auto const& one : c) CHECK(one.what == one.stored);
  CHECK(c[0].next == offset{10});
  CHECK(c[1].next == offset{20});
  CHECK(c[2].next == offset{30});
  CHECK(moved.asked == 0);
}

template <class F>
void later_claim(F& f) {
  resolver r{{{"orders", {offset{10}, offset{20}}}}};
  auto const set = partitions("orders", {0, 1});
  auto first = f.open();
  auto const c = claim(*first, group_of(f), set, r);
  CHECK(advance(*first, {to(c[0], 15), to(c[1], 26)}) == all{outcome::applied, outcome::applied});
  auto next = to(c[0], 19);
  next.from = offset{15};
  CHECK(advance(*first, {next}) == all{outcome::applied});
  CHECK(advance(*first, {}).empty());
  CHECK(first->claim(group_of(f), {}, r, soon()).empty());
  first.reset();
  auto const again = f.open();
  auto const d = claim(*again, group_of(f), set, r);
  CHECK(d[0].what == sl::claimed::stored);
  CHECK(d[0].next == offset{19});
  CHECK(d[1].next == offset{26});
  CHECK(d[0].log.incarnation == c[0].log.incarnation);
  if constexpr (F::store::fencing == sl::fencing::compare_and_set) {
    CHECK(d[0].mine != c[0].mine);
    CHECK(d[0].mine != d[1].mine);
  }
}

/// A partition beyond the stored number is new: from its earliest, once.
template <class F>
void new_partition(F& f) {
  resolver r{{{"orders", {offset{10}, offset{20}}}}};
  auto const s = f.open();
  claim(*s, group_of(f), partitions("orders", {0, 1}), r);
  auto const c = claim(*s, group_of(f), partitions("orders", {0, 1, 2}), r);
  CHECK(c[0].what == sl::claimed::stored);
  CHECK(c[2].what == sl::claimed::added);
  CHECK(c[2].next == offset{102});
  CHECK(c[2].log.incarnation > 0);
  CHECK(advance(*s, {to(c[2], 110)}) == all{outcome::applied});
  CHECK(claim(*s, group_of(f), partitions("orders", {2}), r)[0].what == sl::claimed::stored);
  CHECK(stands_at(f, partitions("orders", {0, 1, 2})) == std::vector{offset{10}, offset{20}, offset{110}});
  CHECK(r.asked == 1);
}

/// The same where the partitions between are claimed later: each is new, none is an error.
template <class F>
void new_partition_with_a_hole(F& f) {
  resolver r{{{"orders", {offset{10}}}}};
  auto const s = f.open();
  claim(*s, group_of(f), partitions("orders", {0}), r);
  auto const c = claim(*s, group_of(f), partitions("orders", {3}), r);
  CHECK(c[0].what == sl::claimed::added);
  CHECK(c[0].next == offset{103});
  for (auto const& between : claim(*s, group_of(f), partitions("orders", {1, 2}), r)) {
    CHECK((between.what == between.stored || between.what == between.added));
    CHECK(between.next == offset{100 + between.of.partition});
  }
}

template <class F>
void wrong_from(F& f) {
  resolver r{{{"orders", {offset{10}, offset{20}}}}};
  auto const set = partitions("orders", {0, 1});
  auto const s = f.open();
  auto const c = claim(*s, group_of(f), set, r);
  auto behind = to(c[0], 15), ahead = to(c[1], 25);
  behind.from = offset{9};
  ahead.from = offset{21};
  CHECK(advance(*s, {behind, ahead}) == all{outcome::refused, outcome::refused});
  CHECK(stands_at(f, set) == std::vector{offset{10}, offset{20}});
}

/// An older owner can't advance; the same partition under the newer fence can.
template <class F>
void old_fence(F& f) {
  resolver r{{{"orders", {offset{10}}}}};
  auto const set = partitions("orders", {0});
  auto const a = f.open(), b = f.open();
  auto const old = claim(*a, group_of(f), set, r), now = claim(*b, group_of(f), set, r);
  CHECK(advance(*a, {to(old[0], 15)}) == all{outcome::refused});
  auto half = to(now[0], 15);
  half.mine.nonce = old[0].mine.nonce;
  CHECK(advance(*b, {half}) == all{outcome::refused});
  half.mine = {old[0].mine.turn, now[0].mine.nonce};
  CHECK(advance(*b, {half}) == all{outcome::refused});
  CHECK(advance(*b, {to(now[0], 16)}) == all{outcome::applied});
  CHECK(stands_at(f, set) == std::vector{offset{16}});
}

/// Both get the same starts, and exactly one of them owns each partition.
template <class F>
void two_claimants_at_once(F& f) {
  auto const a = f.open(), b = f.open();
  auto const set_of = [](std::string const& topic) { return partitions(topic, up_to(8)); };
  for (int round = 0; round < 10; ++round) {
    auto const topic = "orders" + std::to_string(round);
    resolver ra{{{topic, std::vector<offset>(8, offset{10})}}}, rb{{{topic, std::vector<offset>(8, offset{20})}}};
    std::vector<sl::claimed> ca, cb;
    std::string trouble;
    std::latch ready{2};
    auto const group = group_of(f);
    std::thread other{[&] {
      ready.arrive_and_wait();
      try {
        cb = claim(*b, group, set_of(topic), rb);
      } catch (std::exception const& e) { trouble = e.what(); }
    }};
    ready.arrive_and_wait();
    try {
      ca = claim(*a, group, set_of(topic), ra);
    } catch (std::exception const& e) {
      other.join();
      FAIL(e.what());
    }
    other.join();
    REQUIRE(trouble.empty());
    std::vector<sl::move> ma, mb;
    for (std::size_t i = 0; i < 8; ++i) {
      CHECK(ca[i].next == cb[i].next);
      CHECK(ca[i].next == ca[0].next);
      ma.push_back(to(ca[i], 50));
      mb.push_back(to(cb[i], 60));
    }
    auto const oa = advance(*a, ma), ob = advance(*b, mb);
    for (std::size_t i = 0; i < 8; ++i) {
      CHECK((oa[i] == outcome::applied) != (ob[i] == outcome::applied));
      CHECK((oa[i] == outcome::refused) != (ob[i] == outcome::refused));
    }
  }
}

/// Refused under my own fence with next == until: it was applied before. Under an older fence it is refused.
template <class F>
void applied_before(F& f) {
  resolver r{{{"orders", {offset{10}}}}};
  auto const set = partitions("orders", {0});
  auto const s = f.open();
  auto const c = claim(*s, group_of(f), set, r);
  CHECK(advance(*s, {to(c[0], 15)}) == all{outcome::applied});
  CHECK(advance(*s, {to(c[0], 15)}) == all{outcome::applied});
  CHECK(stands_at(f, set) == std::vector{offset{15}});
  if constexpr (F::store::fencing == sl::fencing::compare_and_set)
    CHECK(advance(*s, {to(c[0], 15)}) == all{outcome::refused});
}

/// settle answers what became of the moves, and its answer is final.
template <class F>
void settled(F& f) {
  resolver r{{{"orders", {offset{10}, offset{20}}}}};
  auto const set = partitions("orders", {0, 1});
  auto const s = f.open();
  auto const c = claim(*s, group_of(f), set, r);
  std::vector const moves{to(c[0], 15), to(c[1], 25)};
  CHECK(advance(*s, {moves[0]}) == all{outcome::applied});
  auto const o = copy(s->settle(moves, soon()));
  CHECK(o[0] == outcome::applied);
  CHECK((o[1] == outcome::applied || o[1] == outcome::refused));
  CHECK(stands_at(f, set) == std::vector{offset{15}, offset{o[1] == outcome::applied ? 25 : 20}});
  if constexpr (F::store::fencing == sl::fencing::compare_and_set) {
    auto const late = s->settle(moves, soon());
    CHECK(copy(late) == all{outcome::refused, outcome::refused});
  }
}

/// A rewind is durable with its cause, makes a new fence and raises the incarnation.
template <class F>
void rewound(F& f) {
  resolver r{{{"orders", {offset{10}, offset{20}}}}};
  auto const set = partitions("orders", {0, 1});
  auto s = f.open();
  auto const c = claim(*s, group_of(f), set, r);
  auto m = to(c[0], 15);
  m.log.last = sl::fingerprint{offset{14}, 77};
  auto m1 = to(c[1], 25);
  m1.log.last = sl::fingerprint{offset{24}, 78};
  CHECK(advance(*s, {m, m1}) == all{outcome::applied, outcome::applied});
  auto const before = wall_ms();
  auto const back = s->record({{set[0], offset{3}, c[0].mine, "se'ek"}}, soon());
  REQUIRE(back.size() == 1);
  CHECK(back[0].what == sl::claimed::stored);
  CHECK(back[0].of == set[0]);
  CHECK(back[0].next == offset{3});
  CHECK(back[0].log.incarnation >= before);
  CHECK(back[0].log.incarnation > c[0].log.incarnation);
  CHECK_FALSE(back[0].log.last);
  auto const twice = s->record({{set[0], offset{4}, back[0].mine, "again"}}, soon());
  REQUIRE(twice[0].what == sl::claimed::stored);
  CHECK(twice[0].log.incarnation > back[0].log.incarnation);
  std::vector<sl::rewind> both{{set[1], offset{2}, c[1].mine, "good"}};
  if constexpr (F::store::fencing == sl::fencing::compare_and_set) {
    CHECK(back[0].mine != c[0].mine);
    CHECK(advance(*s, {to(back[0], 9)}) == all{outcome::refused});
    both.insert(both.begin(), {set[0], offset{1}, c[0].mine, "late"});
  }
  auto const answers = s->record(both, soon());
  REQUIRE(answers.size() == both.size());
  if (both.size() == 2) {
    CHECK(answers[0].what != sl::claimed::stored);
    CHECK_FALSE(answers[0].why.empty());
  }
  CHECK(answers.back().what == sl::claimed::stored);
  if constexpr (requires { f.causes(); }) {
    auto causes = f.causes();
    CHECK(std::ranges::count(causes, "se'ek") == 1);
    CHECK(std::ranges::count(causes, "again") == 1);
    CHECK(std::ranges::count(causes, "late") == 0);
  }
  CHECK(advance(*s, {to(twice[0], 8)}) == all{outcome::applied});
  s.reset();
  s = f.open();
  auto const d = claim(*s, group_of(f), set, r);
  CHECK(d[0].next == offset{8});
  CHECK(d[0].log.incarnation == twice[0].log.incarnation);
  CHECK(d[1].next == offset{2});
  CHECK(d[1].log == answers.back().log);
}

/// Releasing with an old fence disturbs nobody; a released partition can be claimed.
template <class F>
void released(F& f) {
  resolver r{{{"orders", {offset{10}}}}};
  auto const set = partitions("orders", {0});
  auto const a = f.open(), b = f.open();
  auto const old = claim(*a, group_of(f), set, r), now = claim(*b, group_of(f), set, r);
  a->release(old, soon());
  CHECK(advance(*b, {to(now[0], 12)}) == all{outcome::applied});
  b->release(now, soon());
  CHECK(stands_at(f, set) == std::vector{offset{12}});
}

/// A batch that was taken and not stored is ahead of what was stored: releasing stores nothing of it.
template <class F>
void released_with_more_in_hand(F& f) {
  resolver r{{{"orders", {offset{10}, offset{20}, offset{30}}}}};
  auto const set = partitions("orders", {0, 1, 2});
  auto s = f.open();
  auto held = claim(*s, group_of(f), set, r);
  auto m = to(held[0], 15);
  m.log.leader_epoch = 12;
  m.log.last = sl::fingerprint{offset{14}, 77};
  CHECK(advance(*s, {m}) == all{outcome::applied});
  held[0].next = m.until;
  held[0].log = m.log;
  held[1] = s->record({{set[1], offset{3}, held[1].mine, "seek"}}, soon()).at(0);
  auto const stored = held;
  for (auto& c : held) {
    c.next = offset{c.next.value() + 100};
    c.log.leader_epoch = 13;
    c.log.last = sl::fingerprint{offset{c.next.value() - 1}, 99};
  }
  if constexpr (requires { s->flush(soon()); }) s->flush(soon());
  s->release(held, soon());
  s.reset();
  s = f.open();
  auto const again = claim(*s, group_of(f), set, r);
  for (std::size_t i = 0; i < again.size(); ++i) {
    INFO("partition " << i);
    CHECK(again[i].what == sl::claimed::stored);
    CHECK(again[i].next == stored[i].next);
    CHECK(again[i].log == stored[i].log);
  }
}

/// A position that is gone where the topic is known is told, never guessed, until a rewind puts it back.
template <class F>
void missing(F& f) {
  resolver r{{{"orders", {offset{10}, offset{20}}}}};
  auto const set = partitions("orders", {0, 1});
  auto s = f.open();
  claim(*s, group_of(f), set, r);
  s.reset();
  f.forget(group_of(f), set[1]);
  for (int i = 0; i < 2; ++i) {
    auto const again = f.open();
    auto const c = claim(*again, group_of(f), set, r);
    CHECK(c[0].what == sl::claimed::stored);
    CHECK(c[1].what == sl::claimed::missing);
  }
  s = f.open();
  auto const c = claim(*s, group_of(f), set, r);
  auto const put = s->record({{set[1], offset{4}, c[1].mine, "missing"}}, soon());
  CHECK(put[0].what == sl::claimed::stored);
  CHECK(advance(*s, {to(put[0], 6)}) == all{outcome::applied});
  CHECK(stands_at(f, set) == std::vector{offset{10}, offset{6}});
}

/// Names are kept apart and come back as they were, whatever is in them.
template <class F>
void awkward_names(F& f) {
  auto const seed = std::random_device{}();
  INFO("seed " << seed);
  std::mt19937 random{seed};
  std::vector<std::string> names{"a",
                                 "A",
                                 "a/b",
                                 "a%2Fb",
                                 "a%2fb",
                                 ".",
                                 "..",
                                 "../a",
                                 "a'b",
                                 "a\"b",
                                 "a;--",
                                 "a b",
                                 "a ",
                                 " a",
                                 "%",
                                 "a_b",
                                 "a.b",
                                 "a-b",
                                 "a:b",
                                 "a\\b",
                                 "a\tb\nc\x01\x7f",
                                 "null",
                                 "{a}",
                                 "*",
                                 "\xc3\xa9",
                                 "e\xcc\x81",
                                 "\xf0\x9f\x90\xb3",
                                 "zookeeper",
                                 std::string(255, 'x'),
                                 std::string(254, 'x') + "/"};
  while (names.size() < 45) {
    std::string name(1 + random() % 40, ' ');
    for (auto& c : name) c = static_cast<char>(1 + random() % 126);
    if (name != "t" && std::ranges::find(names, name) == names.end()) names.push_back(name);
  }
  auto const topic_of = [&](std::size_t i) { return names[names.size() - 1 - i]; };
  auto const start = [](std::size_t i) { return offset{static_cast<std::int64_t>(i) * 10 + 1}; };
  for (std::size_t i = 0; i < names.size(); ++i) {
    resolver r{{{"t", {start(i)}}, {topic_of(i), {start(i).next()}}}};
    auto const c = claim(*f.open(), names[i], {sl::topic_partition{"t", 0}, {topic_of(i), 0}}, r);
    INFO("name " << i);
    CHECK(c[0].what == sl::claimed::first);
    CHECK(c[1].what == sl::claimed::first);
  }
  resolver none{{}};
  for (std::size_t i = 0; i < names.size(); ++i) {
    auto const c = claim(*f.open(), names[i], {sl::topic_partition{"t", 0}, {topic_of(i), 0}}, none);
    INFO("name " << i);
    CHECK(c[0].next == start(i));
    CHECK(c[1].next == start(i).next());
  }
}

template <class F>
void thousand_partitions(F& f) {
  resolver r{{{"orders", std::vector<offset>(1000, offset{10})}}};
  auto const set = partitions("orders", up_to(1000));
  auto const s = f.open();
  std::vector<sl::move> moves;
  for (auto const& c : claim(*s, group_of(f), set, r)) moves.push_back(to(c, 20 + c.of.partition));
  CHECK(advance(*s, moves) == all(1000, outcome::applied));
  auto const next = stands_at(f, set);
  CHECK(next.front() == offset{20});
  CHECK(next[500] == offset{520});
  CHECK(next.back() == offset{1019});
}

/// Each partition of a set is answered for itself.
template <class F>
void partly_refused(F& f) {
  resolver r{{{"orders", {offset{10}, offset{20}, offset{30}}}}};
  auto const set = partitions("orders", {0, 1, 2});
  auto const a = f.open(), b = f.open();
  auto const c = claim(*a, group_of(f), set, r);
  claim(*b, group_of(f), {set[1]}, r);
  CHECK(advance(*a, {to(c[0], 11), to(c[1], 21), to(c[2], 31)}) ==
        all{outcome::applied, outcome::refused, outcome::applied});
  CHECK(stands_at(f, set) == std::vector{offset{11}, offset{20}, offset{31}});
}

/// What is known about the log comes back as it was stored.
template <class F>
void log_state_is_kept(F& f) {
  resolver r{{{"orders", {offset{10}, offset{20}}}}};
  auto const set = partitions("orders", {0, 1});
  auto s = f.open();
  auto const c = claim(*s, group_of(f), set, r);
  auto m = to(c[0], std::int64_t{1} << 60), bare = to(c[1], 25);
  m.log.leader_epoch = 12;
  m.log.last = sl::fingerprint{offset{(std::int64_t{1} << 60) - 3}, 0xfedcba9876543210u};
  CHECK(advance(*s, {m, bare}) == all{outcome::applied, outcome::applied});
  s.reset();
  s = f.open();
  auto const d = claim(*s, group_of(f), set, r);
  CHECK(d[0].next == m.until);
  CHECK(d[0].log == m.log);
  CHECK(d[1].log == bare.log);
}

/// A store that forgets still answers.
template <class F>
void forgetful(F& f) {
  resolver r{{{"orders", {offset{10}, offset{20}}}}};
  auto const s = f.open();
  auto const c = claim(*s, group_of(f), partitions("orders", {1, 0}), r);
  CHECK(c[0].next == offset{20});
  CHECK(c[1].next == offset{10});
  CHECK(advance(*s, {to(c[0], 21), to(c[1], 11)}) == all{outcome::applied, outcome::applied});
}

// ---- the cases of transactional stores

/// One transaction: a result, and the position moved. Answers what commit answered.
template <class F>
outcome transact(F& f, typename F::store& s, std::string const& result, std::vector<sl::move> const& moves) {
  auto& tx = s.begin(moves, soon());
  f.write(tx, result);
  s.advance(tx, moves, soon());
  return s.commit(tx, soon());
}

template <class F>
void results_and_offset_together(F& f) {
  resolver r{{{"orders", {offset{10}, offset{20}}}}};
  auto const set = partitions("orders", {0, 1});
  auto s = f.open();
  auto const c = claim(*s, group_of(f), set, r);
  std::vector const moves{to(c[0], 15), to(c[1], 25)};
  auto& tx = s->begin(moves, soon());
  f.write(tx, "a");
  f.write(tx, "b");
  CHECK(copy(s->advance(tx, moves, soon())) == all{outcome::applied, outcome::applied});
  CHECK(s->commit(tx, soon()) == outcome::applied);
  CHECK(copy(s->settle(moves, soon())) == all{outcome::applied, outcome::applied});
  s.reset();
  CHECK(f.results() == texts{"a", "b"});
  CHECK(stands_at(f, set) == std::vector{offset{15}, offset{25}});
}

template <class F>
void rollback_leaves_nothing(F& f) {
  resolver r{{{"orders", {offset{10}}}}};
  auto const set = partitions("orders", {0});
  auto s = f.open();
  auto const c = claim(*s, group_of(f), set, r);
  std::vector const moves{to(c[0], 15)};
  for (bool const advanced : {false, true}) {
    auto& tx = s->begin(moves, soon());
    f.write(tx, "gone");
    if (advanced) s->advance(tx, moves, soon());
    s->rollback(tx);
  }
  CHECK(f.results().empty());
  CHECK(transact(f, *s, "kept", moves) == outcome::applied);
  s.reset();
  CHECK(f.results() == texts{"kept"});
  CHECK(stands_at(f, set) == std::vector{offset{15}});
}

/// Also where it is refused because it was applied before: the results are there already.
template <class F>
void old_fence_commits_nothing(F& f) {
  resolver r{{{"orders", {offset{10}, offset{20}}}}};
  auto const set = partitions("orders", {0, 1});
  auto a = f.open(), b = f.open();
  auto const old = claim(*a, group_of(f), set, r), now = claim(*b, group_of(f), {set[0]}, r);
  CHECK(transact(f, *a, "late", {to(old[0], 15), to(old[1], 25)}) == outcome::refused);
  CHECK(f.results().empty());
  CHECK(transact(f, *b, "good", {to(now[0], 14)}) == outcome::applied);
  CHECK(transact(f, *b, "twice", {to(now[0], 14)}) == outcome::refused);
  CHECK(transact(f, *a, "mine", {to(old[1], 26)}) == outcome::applied);
  CHECK(f.results() == texts{"good", "mine"});
  a.reset();
  b.reset();
  CHECK(stands_at(f, set) == std::vector{offset{14}, offset{26}});
}

/// From == until moves nothing, and still holds under the fence only: so a zombie without records writes nothing either.
template <class F>
void moves_that_go_nowhere(F& f) {
  resolver r{{{"orders", {offset{10}, offset{20}}}}};
  auto const set = partitions("orders", {0, 1});
  auto s = f.open();
  auto const c = claim(*s, group_of(f), set, r);
  std::vector const still{to(c[0], 10), to(c[1], 20)};
  CHECK(transact(f, *s, "a", still) == outcome::applied);
  CHECK(transact(f, *s, "b", still) == outcome::applied);
  CHECK(transact(f, *s, "c", {to(c[0], 15), still[1]}) == outcome::applied);
  auto elsewhere = to(c[0], 14);
  elsewhere.from = offset{14};
  CHECK(transact(f, *s, "from somewhere else", {elsewhere, still[1]}) == outcome::refused);
  CHECK(f.results() == texts{"a", "b", "c"});
  CHECK(stands_at(f, set) == std::vector{offset{15}, offset{20}});  // by a claim of another's
  CHECK(transact(f, *s, "late", {still[1]}) == outcome::refused);
  CHECK(f.results() == texts{"a", "b", "c"});
}

/// Runs every case that the store's kind of fence calls for, each on a fixture of its own.
template <class F>
void holds() {
  using S = typename F::store;
  static_assert(sl::offset_store<S>);
  if constexpr (S::fencing == sl::fencing::none) {
    on_fresh<F>("answers, and keeps nothing", forgetful<F>);
  } else {
    on_fresh<F>("the first claim stores all starts", first_claim<F>);
    on_fresh<F>("a later claim resumes", later_claim<F>);
    on_fresh<F>("a new partition starts at its earliest", new_partition<F>);
    on_fresh<F>("applied before is applied", applied_before<F>);
    on_fresh<F>("settle is final", settled<F>);
    on_fresh<F>("a rewind is recorded", rewound<F>);
    on_fresh<F>("what is known of the log is kept", log_state_is_kept<F>);
    on_fresh<F>("a thousand partitions at once", thousand_partitions<F>);
    on_fresh<F>("a release stores nothing of what is in hand", released_with_more_in_hand<F>);
    if constexpr (requires(F f, std::string g, sl::topic_partition p) { f.forget(g, p); })
      on_fresh<F>("a missing position is told", missing<F>);
  }
  if constexpr (S::fencing == sl::fencing::compare_and_set) {
    on_fresh<F>("new partitions with a hole", new_partition_with_a_hole<F>);
    on_fresh<F>("a wrong from is refused", wrong_from<F>);
    on_fresh<F>("an old fence is refused", old_fence<F>);
    on_fresh<F>("two claimants at once", two_claimants_at_once<F>);
    on_fresh<F>("a release needs the fence", released<F>);
    on_fresh<F>("awkward names", awkward_names<F>);
    on_fresh<F>("each partition is answered for itself", partly_refused<F>);
  }
  if constexpr (sl::transactional_store<S> && requires(F f) { f.results(); }) {
    on_fresh<F>("results and offset together", results_and_offset_together<F>);
    on_fresh<F>("a rollback leaves nothing", rollback_leaves_nothing<F>);
    on_fresh<F>("an old fence commits nothing", old_fence_commits_nothing<F>);
    on_fresh<F>("moves that go nowhere", moves_that_go_nowhere<F>);
  }
}

}  // namespace contract
