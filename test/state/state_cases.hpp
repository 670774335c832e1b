/// \file state_cases.hpp  What every transaction that can hold state must do, written once: on a fixture of contract.hpp.
#pragma once
#include <sluice/state/keyed_state.hpp>

#include <cstring>

#include "batches.hpp"
#include "offset_store/contract.hpp"
#include "thrown.hpp"

namespace state_cases {

using namespace contract;
using sl::detail::never;
using sl::detail::state_row;

inline sl::topic_partition const o0{"orders", 0}, o1{"orders", 1};

/// A store with both partitions of `orders` claimed, and transactions that move them on.
template <class F>
struct claimed_store {
  using store = typename F::store;
  using transaction = typename store::transaction;
  using rows = sl::detail::state_store<transaction>;

  decltype(std::declval<F&>().open()) s;
  std::vector<sl::move> moves{};
  std::string group;

  explicit claimed_store(F& f, std::string of = {}) : s(f.open()), group(of.empty() ? group_of(f) : std::move(of)) {
    claim_again();
  }
  void claim_again() {
    auto r = orders();
    moves.clear();
    for (auto const& c : claim(*s, group, partitions("orders", {0, 1}), r)) {
      REQUIRE(c.what <= c.added);
      moves.push_back(to(c, c.next.value() + 1));
    }
  }

  /// One transaction; what conflicts comes again, as the consumer does it.
  template <class Use>
  outcome transact(Use use, bool commits = true) {
    for (int tries = 0; tries < 5; ++tries) {
      auto& tx = s->begin(moves, soon());
      try {
        use(tx);
      } catch (sl::store_conflict const&) {
        s->rollback(tx);
        continue;
      } catch (...) {
        s->rollback(tx);
        throw;
      }
      if (!commits) {
        s->rollback(tx);
        return outcome::refused;
      }
      s->advance(tx, moves, soon());
      auto const end = s->commit(tx, soon());
      if (end == outcome::applied)
        for (auto& m : moves) m.from = std::exchange(m.until, m.until.next());
      return end;
    }
    FAIL("conflicts without end");
    return outcome::unknown;
  }
  void put(std::vector<state_row> const& all) {
    CHECK(transact([&](transaction& tx) { rows{tx, "counts"}.write(all); }) == outcome::applied);
  }
  /// What is found of these, "-" where there is none, with its due time behind a slash.
  texts get(std::vector<state_row> const& keys, char const* name = "counts") {
    texts all;
    transact([&](transaction& tx) { all = found(tx, keys, name); }, false);
    return all;
  }
  static texts found(transaction& tx, std::vector<state_row> const& keys, char const* name = "counts") {
    texts all(keys.size(), "-");
    rows{tx, name}.read(keys, [&](std::size_t i, std::string_view value, std::int64_t due) {
      all.at(i) = std::string{value} + (due == never ? "" : "/" + std::to_string(due));
    });
    return all;
  }
  static texts due(transaction& tx, sl::topic_partition const& of, std::int64_t until, std::size_t most) {
    texts all;
    rows{tx, "counts"}.due(of, until, most, [&](std::string_view key, std::string_view value, std::int64_t when) {
      all.push_back(std::string{key} + "=" + std::string{value} + "/" + std::to_string(when));
    });
    return all;
  }
  static texts everything(transaction& tx, sl::topic_partition const& of) {
    texts all;
    rows{tx, "counts"}.all(of, [&](std::string_view key, std::string_view value, std::int64_t) {
      all.push_back(std::string{key} + "=" + std::string{value});
    });
    std::sort(all.begin(), all.end());
    return all;
  }
};

using namespace std::string_view_literals;

template <class F>
void rows_are_kept(F& f) {
  claimed_store<F> s{f};
  std::vector<state_row> const keys{{.of = &o0, .key = "ka"},
                                    {.of = &o1, .key = "ka"},
                                    {.of = &o0, .key = "k\0\xff'\"\\b"sv},
                                    {.of = &o0, .key = "kB"}};
  CHECK(s.get(keys) == texts{"-", "-", "-", "-"});
  s.put({{.of = &o0, .key = "ka", .value = "1"},
         {.of = &o1, .key = "ka", .value = "2", .due = -5},
         {.of = &o0, .key = keys[2].key, .value = "\0\xfe{},\"\\"sv}});
  CHECK(s.get(keys) == texts{"1", "2/-5", std::string{"\0\xfe{},\"\\"sv}, "-"});
  s.put({{.of = &o0, .key = "ka", .value = ""},
         {.of = &o1, .key = "ka", .there = false},
         {.of = &o0, .key = "kB", .value = "b", .due = 7}});
  CHECK(s.get(keys)[0].empty());
  CHECK(s.get(keys)[1] == "-");
  CHECK(s.get(keys)[3] == "b/7");
  s.put({{.of = &o0, .key = "kB", .value = "c"}, {.of = &o0, .key = "nothing", .there = false}});
  CHECK(s.get(keys)[3] == "c");
  CHECK(s.get(keys, "others") == texts{"-", "-", "-", "-"});
  claimed_store<F> of_another{f, "another group"};
  CHECK(of_another.get(keys) == texts{"-", "-", "-", "-"});
}

template <class F>
void a_transaction_sees_what_it_wrote(F& f) {
  claimed_store<F> s{f};
  using tx_t = typename claimed_store<F>::transaction;
  using rows = typename claimed_store<F>::rows;
  s.put({{.of = &o0, .key = "ka", .value = "1", .due = 1}, {.of = &o0, .key = "kb", .value = "1", .due = 2}});
  std::vector<state_row> const keys{{.of = &o0, .key = "ka"}, {.of = &o0, .key = "kb"}, {.of = &o0, .key = "kc"}};
  auto const change = [&](tx_t& tx) {
    rows{tx, "counts"}.write(std::vector<state_row>{{.of = &o0, .key = "ka", .value = "2", .due = 9},
                                                    {.of = &o0, .key = "kb", .there = false},
                                                    {.of = &o0, .key = "kc", .value = "3", .due = 0}});
    CHECK(s.found(tx, keys) == texts{"2/9", "-", "3/0"});
    CHECK(s.due(tx, o0, 5, 10) == texts{"kc=3/0"});
    CHECK(s.everything(tx, o0) == texts{"ka=2", "kc=3"});
  };
  s.transact(change, false);
  CHECK(s.get(keys) == texts{"1/1", "1/2", "-"});
  CHECK(s.transact(change) == outcome::applied);
  CHECK(s.get(keys) == texts{"2/9", "-", "3/0"});
}

template <class F>
void what_is_due_comes_in_order(F& f) {
  claimed_store<F> s{f};
  using tx_t = typename claimed_store<F>::transaction;
  using rows = typename claimed_store<F>::rows;
  s.put({{.of = &o0, .key = "kd", .value = "v", .due = 5},
         {.of = &o0, .key = "kb", .value = "v", .due = -3},
         {.of = &o0, .key = "ka", .value = "v", .due = 5},
         {.of = &o0, .key = "kc", .value = "v", .due = 253'402'300'799'999},
         {.of = &o0, .key = "ke", .value = "v"},
         {.of = &o1, .key = "kx", .value = "v", .due = 1}});
  s.transact([&](tx_t& tx) {
    CHECK(s.due(tx, o0, -4, 10).empty());
    CHECK(s.due(tx, o0, 5, 2) == texts{"kb=v/-3", "ka=v/5"});
    CHECK(s.due(tx, o0, 5, 10) == texts{"kb=v/-3", "ka=v/5", "kd=v/5"});
    rows{tx, "counts"}.write(std::vector<state_row>{{.of = &o0, .key = "kb", .there = false},
                                                    {.of = &o0, .key = "ka", .value = "w", .due = 6}});
  });
  s.transact(
      [&](tx_t& tx) {
        CHECK(s.due(tx, o0, 5, 10) == texts{"kd=v/5"});
        CHECK(s.due(tx, o0, 253'402'300'799'999, 10) == texts{"kd=v/5", "ka=w/6", "kc=v/253402300799999"});
      },
      false);
  s.put({{.of = &o0, .key = "kd", .value = "n"}});
  s.transact([&](tx_t& tx) { CHECK(s.due(tx, o0, 5, 1).empty()); }, false);
}

template <class F>
void many_at_once(F& f) {
  claimed_store<F> s{f};
  constexpr std::size_t n = 3000;
  texts names, values;
  for (std::size_t i = 0; i < n; ++i) {
    names.push_back("k" + std::to_string(i));
    values.push_back(std::string(400, static_cast<char>('a' + i % 26)) + std::to_string(i));
  }
  std::vector<state_row> all;
  for (std::size_t i = 0; i < n; ++i) all.push_back({.of = i % 2 ? &o1 : &o0, .key = names[i], .value = values[i]});
  s.put(all);
  CHECK(s.get(all) == values);
  for (std::size_t i = 0; i < n; i += 3) all[i].there = false;
  s.put(all);
  auto const left = s.get(all);
  for (std::size_t i = 0; i < n; ++i) REQUIRE(left[i] == (i % 3 ? values[i] : "-"));
}

template <class F>
void knows_how_many_partitions(F& f) {
  claimed_store<F> s{f};
  s.transact(
      [&](auto& tx) {
        typename claimed_store<F>::rows rows{tx, "counts"};
        CHECK(rows.partitions("orders") == 2);
        CHECK(rows.partitions("nothing") == 0);
      },
      false);
}

/// Longest name, key and topic; bytes that are no letters.
template <class F>
void long_names(F& f) {
  claimed_store<F> s{f};
  sl::topic_partition const of{std::string(249, 't'), 2'000'000'000};
  std::string const key = "k" + std::string(699, '\xff'), name(63, 'n');
  s.transact([&](auto& tx) {
    typename claimed_store<F>::rows rows{tx, name};
    rows.write(std::vector<state_row>{{.of = &of, .key = key, .value = "v", .due = 3}});
    rows.due(of, 3, 5, [&](std::string_view k, std::string_view, std::int64_t) { CHECK(k == key); });
  });
  CHECK(s.get({{.of = &of, .key = key}}, name.c_str()) == texts{"v/3"});
}

/// Counts the records of one batch by key.
template <class Tx>
void count(sl::keyed_state<std::string, std::int64_t>& counts, Tx& tx, std::vector<made> const& first,
           std::vector<made> const& second = {}) {
  held h;
  if (!first.empty()) h.part("orders", 0, first);
  if (!second.empty()) h.part("orders", 1, second);
  counts.update(
      h.batch(), tx, [](sl::record r) { return r.key_text(); },
      [](auto records, std::optional<std::int64_t>& n) { n = n.value_or(0) + std::ssize(records); });
}
template <class F>
std::map<std::string, std::int64_t> counted(claimed_store<F>& s, sl::topic_partition const& of) {
  std::map<std::string, std::int64_t> all;
  s.transact(
      [&](auto& tx) {
        typename claimed_store<F>::rows{tx, "counts"}.all(
            of, [&](std::string_view key, std::string_view value, std::int64_t) {
              if (key[0] == 'k') all[sl::decoded<std::string>(key.substr(1))] = sl::decoded<std::int64_t>(value);
            });
      },
      false);
  return all;
}

template <class F>
void counts_are_kept_and_memory_is_true(F& f) {
  using all_counts = std::map<std::string, std::int64_t>;
  sl::keyed_state<std::string, std::int64_t> a{.name = "counts"}, b{.name = "counts"};
  claimed_store<F> s{f};
  auto const turn = [&](auto& state, std::vector<made> const& first, std::vector<made> const& second,
                        bool commits = true) {
    return s.transact([&](auto& tx) { count(state, tx, first, second); }, commits);
  };
  CHECK(turn(a, {{0, "x"}, {1, "y"}, {2, "x"}}, {{0, "x"}}) == outcome::applied);
  CHECK(turn(a, {{3, "x"}}, {}) == outcome::applied);
  CHECK(counted(s, o0) == all_counts{{"x", 3}, {"y", 1}});
  CHECK(counted(s, o1) == all_counts{{"x", 1}});
  turn(a, {{4, "x"}, {5, "z"}}, {{1, "x"}}, false);  // rolled back
  CHECK(turn(a, {{4, "x"}}, {}) == outcome::applied);
  CHECK(counted(s, o0) == all_counts{{"x", 4}, {"y", 1}});
  // Another memory in between, even without a single record: the offsets need not show it.
  CHECK(turn(b, {{5, "x"}, {6, "x"}}, {}) == outcome::applied);
  CHECK(turn(a, {{7, "x"}}, {{1, "x"}}) == outcome::applied);
  CHECK(counted(s, o0) == all_counts{{"x", 7}, {"y", 1}});
  CHECK(counted(s, o1) == all_counts{{"x", 2}});
  // More than once in one transaction.
  CHECK(s.transact([&](auto& tx) {
    count(a, tx, {{8, "x"}, {9, "w"}});
    count(a, tx, {{10, "x"}});
    count(a, tx, {{11, "x"}}, {{2, "x"}});
  }) == outcome::applied);
  CHECK(counted(s, o0) == all_counts{{"w", 1}, {"x", 10}, {"y", 1}});
  CHECK(counted(s, o1) == all_counts{{"x", 3}});
  // A zombie: refused, and nothing of it is there.
  claimed_store<F> other{f};
  CHECK(turn(a, {{12, "x"}}, {}) == outcome::refused);
  CHECK(other.transact([&](auto& tx) { count(b, tx, {{12, "x"}}); }) == outcome::applied);
  s.claim_again();
  CHECK(turn(a, {{13, "x"}}, {}) == outcome::applied);
  CHECK(counted(s, o0) == all_counts{{"w", 1}, {"x", 12}, {"y", 1}});
}

/// Each transaction knows its own only.
template <class F>
void two_of_one_name(F& f) {
  claimed_store<F> s{f};
  sl::keyed_state<std::string, std::int64_t> one{.name = "counts"}, two{.name = "counts"}, other{.name = "others"};
  using transaction = typename claimed_store<F>::transaction;
  for (auto* state : {&one, &two, &one})
    CHECK(s.transact([&](transaction& tx) {
      count(*state, tx, {{1, "a"}});
      count(*state, tx, {{2, "a"}});
      count(other, tx, {{3, "a"}});
    }) == outcome::applied);
  CHECK(s.transact(
            [&](transaction& tx) {
              count(one, tx, {{4, "a"}});
              auto const e = error_of([&] { count(two, tx, {{5, "a"}}); });
              CHECK(e.code == sl::errc::bad_configuration);
              CHECK(e.of_store);
              CHECK_THAT(e.text, ContainsSubstring("named \"counts\""));
            },
            false) == outcome::refused);
  CHECK(s.transact([&](transaction& tx) { count(two, tx, {{6, "a"}}); }) == outcome::applied);
}

template <class F>
void hold() {
  on_fresh<F>("rows are kept", rows_are_kept<F>);
  on_fresh<F>("a transaction sees what it wrote", a_transaction_sees_what_it_wrote<F>);
  on_fresh<F>("what is due comes in order", what_is_due_comes_in_order<F>);
  on_fresh<F>("many rows at once", many_at_once<F>);
  on_fresh<F>("how many partitions there are", knows_how_many_partitions<F>);
  on_fresh<F>("long names", long_names<F>);
  on_fresh<F>("counts", counts_are_kept_and_memory_is_true<F>);
  on_fresh<F>("two of one name", two_of_one_name<F>);
}

}  // namespace state_cases
