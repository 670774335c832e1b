/// \file contract_network.hpp  What a store behind a network must do when requests or answers are lost, or its server is.
///
/// A fixture as contract.hpp wants it, and besides:
///
///     std::unique_ptr<store> open(int port);       // the server reached by another port of 127.0.0.1: a proxy's
///     int port();                                  // the server's own
///     void freeze(bool on);                        // the server's processes are stopped, or go on
///     void restart();  // where it can: killed without a warning, and started on the same data
///     static constexpr std::size_t most_round_trips;  // that an advance of 1,000 partitions may take
///
///     TEST_CASE("redis_offsets keeps the contract of stores behind a network") { contract::holds_over_network<fixture>(); }
///
/// Trouble meets the first request of a call, then the second, and so on until the call has no such request any more.
#pragma once

#include "../seed.hpp"
#include "../servers/proxy.hpp"
#include "contract.hpp"

namespace contract {

using trouble = servers::proxy::trouble;

inline sl::time_point in(std::chrono::milliseconds time) { return std::chrono::steady_clock::now() + time; }

inline std::string name_of(trouble t) {
  switch (t) {
    case trouble::none:
      return "nothing";
    case trouble::cut_before:
      return "a request lost";
    case trouble::cut_after:
      return "an answer lost";
    case trouble::hold:
      return "a request that comes late";
  }
  return {};
}

/// As the engine does after `unknown`: the same moves again, until each answer is final.
template <class S>
void settle(S& s, std::vector<sl::move> const& moves, std::vector<outcome>& answers) {
  for (auto const give_up = in(30s); std::chrono::steady_clock::now() < give_up; std::this_thread::sleep_for(5ms)) {
    std::vector<sl::move> open;
    for (std::size_t i = 0; i < moves.size(); ++i)
      if (answers[i] == outcome::unknown) open.push_back(moves[i]);
    if (open.empty()) return;
    auto const told = copy(s.settle(open, soon()));
    std::size_t next = 0;
    for (auto& a : answers)
      if (a == outcome::unknown) a = told.at(next++);
  }
  throw std::logic_error("settle never became final");
}

/// Asks again where the server can't be had.
template <class S>
std::vector<sl::claimed> claim_in_the_end(S& s, std::string const& group, std::vector<sl::topic_partition> const& set,
                                          resolver& r) {
  for (auto const give_up = in(30s);; std::this_thread::sleep_for(5ms)) {
    try {
      return claim(s, group, set, r);
    } catch (sl::store_error const&) {
      if (std::chrono::steady_clock::now() > give_up) throw;
    }
  }
}

inline std::vector<sl::move> to_all(std::vector<sl::claimed> const& claims, std::int64_t further) {
  std::vector<sl::move> moves;
  for (auto const& c : claims) moves.push_back(to(c, c.next.value() + further));
  return moves;
}

/// Where the moves lead if these are their answers.
inline std::vector<offset> ends(std::vector<sl::move> const& moves, std::vector<outcome> const& answers) {
  std::vector<offset> next;
  for (std::size_t i = 0; i < moves.size(); ++i)
    next.push_back(answers[i] == outcome::applied ? moves[i].until : moves[i].from);
  return next;
}

/// Calls `once(k, met)` with the trouble in wait for request k, until a call did not meet it.
template <class Once>
void at_each_request(servers::proxy& p, trouble t, Once once) {
  for (unsigned k = 0;; ++k) {
    INFO(name_of(t) << ", request " << k);
    REQUIRE(k < 100);
    auto const before = p.cuts();
    once(k, [&] {
      p.arrange(trouble::none);
      return p.cuts() != before;
    });
    if (p.cuts() == before) {
      CHECK(k > 0);  // or nothing was tried
      return;
    }
  }
}

// ---- the cases

/// What is told of an advance is so, and stays so when a late request arrives.
template <class F>
void advance_in_trouble(F& f, trouble t) {
  servers::proxy p{f.port()};
  resolver r{{{"orders", {offset{10}, offset{20}}}}};
  auto const set = partitions("orders", {0, 1});
  auto const s = f.open(p.port());
  at_each_request(p, t, [&](unsigned k, auto met) {
    auto const moves = to_all(claim_in_the_end(*s, group_of(f), set, r), 5);
    p.arrange(t, k);
    auto answers = advance(*s, moves);
    if (!met()) CHECK(answers == all(2, outcome::applied));
    settle(*s, moves, answers);
    p.deliver();
    auto further = moves;
    auto const stood = ends(moves, answers);
    for (std::size_t i = 0; i < moves.size(); ++i) {
      further[i].from = stood[i];
      further[i].until = stood[i].next();
    }
    CHECK(advance(*s, further) == all(2, outcome::applied));
    CHECK(stands_at(f, set) == ends(further, all(2, outcome::applied)));
  });
}

/// Whatever became of a claim: the next one resumes at the same place, under a fence that alone is good.
template <class F>
void claim_in_trouble(F& f, trouble t, bool known) {
  servers::proxy p{f.port()};
  auto const s = f.open(p.port());
  at_each_request(p, t, [&](unsigned k, auto met) {
    auto const topic = "orders" + std::to_string(k);
    resolver r{{{topic, {offset{10}, offset{20}}}}};
    auto const set = partitions(topic, {0, 1});
    resolver warm{{{"warm", {offset{1}}}}};
    claim_in_the_end(*s, group_of(f), partitions("warm", {0}), warm);
    if (known) claim_in_the_end(*s, group_of(f), set, r);
    p.arrange(t, k);
    std::vector<sl::claimed> first;
    try {
      first = s->claim(group_of(f), set, r, soon());
    } catch (sl::store_error const& e) { CHECK(e.code() == sl::errc::store_unavailable); }
    met();
    auto const second = claim_in_the_end(*s, group_of(f), set, r);
    CHECK(second[0].next == offset{10});
    CHECK(second[1].next == offset{20});
    for (auto const& c : first) {
      if (c.what == c.failed || c.what == c.busy) continue;
      CHECK(c.next == offset{c.of.partition == 0 ? 10 : 20});
      CHECK(advance(*s, {to(c, 99)}) == all{outcome::refused});
    }
    bool const late = p.deliver();  // it may make a fence of its own
    auto const moves = to_all(second, 5);
    auto const answers = advance(*s, moves);
    for (auto const a : answers) CHECK((a == outcome::applied || (late && a == outcome::refused)));
    CHECK(stands_at(f, set) == ends(moves, answers));
  });
}

/// Results and position agree at any time, and in the end each result is there once.
template <class F>
void transaction_in_trouble(F& f, trouble t) {
  servers::proxy p{f.port()};
  resolver r{{{"orders", {offset{10}, offset{20}}}}};
  auto const set = partitions("orders", {0, 1});
  auto const s = f.open(p.port());
  std::vector<offset> stood{offset{10}, offset{20}};
  at_each_request(p, t, [&](unsigned k, auto met) {
    auto const result = "result" + std::to_string(k);
    auto const there = [&] { return std::ranges::count(f.results(), result); };
    auto const goal = std::vector{offset{stood[0].value() + 5}, offset{stood[1].value() + 5}};
    auto claims = claim_in_the_end(*s, group_of(f), set, r);
    p.arrange(t, k);
    for (int attempt = 0;; ++attempt) {
      REQUIRE(attempt < 10);
      auto const moves = to_all(claims, 5);
      bool mine = true, done = false;
      try {
        auto& tx = s->begin(moves, soon());
        try {
          f.write(tx, result);
          if (copy(s->advance(tx, moves, soon())) != all(2, outcome::applied)) {
            s->rollback(tx);
            mine = false;
          } else if (auto const end = s->commit(tx, soon()); end == outcome::applied) {
            done = true;
          } else if (end == outcome::unknown) {
            met();
            all answers(2, outcome::unknown);
            settle(*s, moves, answers);
            CHECK(answers[0] == answers[1]);
            done = answers[0] == outcome::applied;
            mine = false;
          }
        } catch (sl::store_error const&) {
          s->rollback(tx);
          throw;
        }
      } catch (sl::store_error const& e) { CHECK(e.code() == sl::errc::store_unavailable); }
      met();
      CHECK(there() == (done ? 1 : 0));
      if (done) break;
      if (!mine) claims = claim_in_the_end(*s, group_of(f), set, r);
      CHECK(claims[0].next == stood[0]);
      CHECK(claims[1].next == stood[1]);
    }
    p.deliver();
    CHECK(there() == 1);
    CHECK(stands_at(f, set) == goal);
    stood = goal;
  });
}

/// Without records a position does not tell whether a commit was done: its results are there once all the same, or not at
/// all, and that only where it was not answered for.
template <class F>
void still_transaction_in_trouble(F& f, trouble t) {
  servers::proxy p{f.port()};
  resolver r{{{"orders", {offset{10}, offset{20}}}}};
  auto const set = partitions("orders", {0, 1});
  auto const s = f.open(p.port());
  at_each_request(p, t, [&](unsigned k, auto met) {
    auto const result = "result" + std::to_string(k);
    auto const there = [&] { return std::ranges::count(f.results(), result); };
    auto const still = to_all(claim_in_the_end(*s, group_of(f), set, r), 0);
    bool done = false;
    p.arrange(t, k);
    try {
      auto& tx = s->begin(still, soon());
      try {
        f.write(tx, result);
        s->advance(tx, still, soon());
        auto const end = s->commit(tx, soon());
        done = end == outcome::applied;
        met();
        if (end == outcome::unknown) {
          all answers(2, outcome::unknown);
          settle(*s, still, answers);
        }
      } catch (sl::store_error const&) {
        s->rollback(tx);
        throw;
      }
    } catch (sl::store_error const& e) { CHECK(e.code() == sl::errc::store_unavailable); }
    met();
    auto const before = there();
    CHECK(before <= 1);
    CHECK((before == 1 || !done));
    p.deliver();
    CHECK(there() == before);
    claim_in_the_end(*s, group_of(f), set, r);
    CHECK(stands_at(f, set) == std::vector{offset{10}, offset{20}});
  });
}

/// A server that is stopped makes no call last longer than its deadline and a bit.
template <class F>
void server_frozen(F& f) {
  resolver r{{{"orders", {offset{10}, offset{20}}}}};
  auto const set = partitions("orders", {0, 1});
  auto const s = f.open();
  auto const c = claim(*s, group_of(f), set, r);
  auto const moves = to_all(c, 5);
  auto const timed = [](char const* what, std::chrono::milliseconds limit, auto call) {
    INFO(what);
    auto const begun = std::chrono::steady_clock::now();
    call(begun + limit);
    CHECK(std::chrono::steady_clock::now() - begun < limit + 2s);
  };
  all answers;
  {
    struct frozen {
      F& f;
      explicit frozen(F& which) : f(which) { f.freeze(true); }
      ~frozen() { f.freeze(false); }
    } const now{f};
    timed("advance", 700ms, [&](auto by) { answers = copy(s->advance(moves, by)); });
    CHECK(answers == all(2, outcome::unknown));
    timed("settle", 300ms, [&](auto by) { CHECK(copy(s->settle(moves, by)) == all(2, outcome::unknown)); });
    auto const fails = [](auto call) {
      try {
        for (sl::claimed const& a : call()) CHECK((a.what == a.busy || a.what == a.failed));
      } catch (sl::store_error const& e) { CHECK(e.code() == sl::errc::store_unavailable); }
    };
    timed("claim", 300ms, [&](auto by) { fails([&] { return s->claim(group_of(f), set, r, by); }); });
    timed("record", 300ms,
          [&](auto by) { fails([&] { return s->record({{set[0], offset{1}, c[0].mine, "seek"}}, by); }); });
    timed("release", 300ms, [&](auto by) { s->release(c, by); });
    if constexpr (sl::transactional_store<typename F::store>)
      timed("begin", 300ms, [&](auto by) {
        try {
          s->rollback(s->begin(moves, by));
        } catch (sl::store_error const& e) { CHECK(e.code() == sl::errc::store_unavailable); }
      });
  }
  settle(*s, moves, answers);  // applied, or refused: what was asked meanwhile may have come late
  CHECK(stands_at(f, set) == ends(moves, answers));
  auto const again = claim_in_the_end(*s, group_of(f), set, r);
  auto const after = to_all(again, 3);
  CHECK(advance(*s, after) == all(2, outcome::applied));
  CHECK(stands_at(f, set) == ends(after, all(2, outcome::applied)));
}

/// What was acknowledged outlives the server, and nothing is there that was not asked for.
template <class F>
void server_killed(F& f, int kills) {
  std::mt19937 random{seed()};
  resolver r{{{"orders", std::vector<offset>(4, offset{0})}}};
  auto const set = partitions("orders", up_to(4));
  auto const s = f.open();
  auto claims = claim(*s, group_of(f), set, r);
  int const rounds = 110 * kills;
  std::vector<offset> applied(4), asked(4);
  std::atomic<int> round{0};
  std::atomic<bool> ended{false};
  std::string trouble_met;
  std::thread worker{[&] {
    try {
      auto moves = to_all(claims, 1);
      auto const give_up = in(90s * kills);
      while (round < rounds) {
        if (std::chrono::steady_clock::now() > give_up) throw std::logic_error("no end");
        for (std::size_t i = 0; i < 4; ++i) asked[i] = std::max(asked[i], moves[i].until);
        all answers;
        try {
          answers = advance(*s, moves);
        } catch (sl::store_error const&) {
          std::this_thread::sleep_for(5ms);
          continue;
        }
        settle(*s, moves, answers);
        bool refused = false;
        for (std::size_t i = 0; i < 4; ++i) {
          if (answers[i] == outcome::applied) {
            applied[i] = moves[i].until;
            moves[i].from = applied[i];
            moves[i].until = applied[i].next();
          } else
            refused = true;
        }
        if (refused) {
          claims = claim_in_the_end(*s, group_of(f), set, r);
          for (std::size_t i = 0; i < 4; ++i)
            if (claims[i].next != applied[i]) throw std::logic_error("a position that nobody was told of");
          moves = to_all(claims, 1);
        }
        ++round;
      }
    } catch (std::exception const& e) { trouble_met = e.what(); }
    ended = true;
  }};
  try {
    int at = 0;
    for (int killed = 0; killed < kills; ++killed) {
      at += static_cast<int>(random() % 90);
      while (round < at && !ended) std::this_thread::yield();
      f.restart();
    }
  } catch (std::exception const& e) {
    worker.join();
    FAIL(e.what());
  }
  worker.join();
  CHECK(trouble_met == "");
  auto const stood = stands_at(f, set);
  CHECK(stood == applied);
  for (std::size_t i = 0; i < 4; ++i) CHECK(stood[i] <= asked[i]);
}

template <class F>
void few_round_trips(F& f) {
  servers::proxy p{f.port()};
  resolver r{{{"orders", std::vector<offset>(1000, offset{10})}}};
  auto const s = f.open(p.port());
  auto const moves = to_all(claim(*s, group_of(f), partitions("orders", up_to(1000)), r), 5);
  auto const before = p.round_trips();
  CHECK(advance(*s, moves) == all(1000, outcome::applied));
  auto const took = p.round_trips() - before;
  CHECK(took > 0);
  CHECK(took <= F::most_round_trips);
}

/// Runs every case, each on a fixture of its own.
template <class F>
void holds_over_network() {
  for (auto const t : {trouble::cut_before, trouble::cut_after, trouble::hold}) {
    on_fresh<F>("an advance and " + name_of(t), [t](F& f) { advance_in_trouble(f, t); });
    on_fresh<F>("a first claim and " + name_of(t), [t](F& f) { claim_in_trouble(f, t, false); });
    on_fresh<F>("a later claim and " + name_of(t), [t](F& f) { claim_in_trouble(f, t, true); });
    if constexpr (sl::transactional_store<typename F::store> && requires(F f) { f.results(); })
      on_fresh<F>("a transaction and " + name_of(t), [t](F& f) { transaction_in_trouble(f, t); });
    if constexpr (sl::transactional_store<typename F::store> && requires(F f) { f.results(); })
      on_fresh<F>("a transaction without records and " + name_of(t), [t](F& f) { still_transaction_in_trouble(f, t); });
  }
  on_fresh<F>("a server that is stopped", server_frozen<F>);
  if constexpr (requires(F f) { f.restart(); })
    on_fresh<F>("a server that is killed", [](F& f) { server_killed(f, 2); });
  on_fresh<F>("few round trips", few_round_trips<F>);
}

/// For the long tests: each kill meets the server somewhere in one of a hundred advances.
template <class F>
void server_killed_often() {
  on_fresh<F>("a server that is killed 20 times", [](F& f) { server_killed(f, 20); });
}

}  // namespace contract
