/// \file upsert_cases.hpp  What every upsert for the delivery `idempotent` must do, written once.
///
/// A fixture stands for one database:
///
///     sl::postgres_upsert_into upsert;       // into the table last, key k, column v
///     static constexpr char const* who;      // how errors name the output
///     auto output(Map map);                  // the output, as upsert says now
///     std::vector<std::string> look(std::string const& sql);  // all rows, columns between '|', null as "null"
#pragma once
#include <sluice/delivery/idempotent.hpp>

#include <algorithm>
#include <map>
#include <random>

#include "../seed.hpp"
#include "catch.hpp"
#include "on_fresh.hpp"
#include "some_records.hpp"

namespace upsert_cases {

using Catch::Matchers::ContainsSubstring;
using texts = std::vector<std::string>;

inline auto const key_and_text = [](sl::record r, auto& row) { row(r.key_text(), r.text()); };
inline sl::topic_partition const zero{"orders", 0}, one{"orders", 1};

inline some_records single(sl::topic_partition const& of, std::int64_t at, std::optional<std::string> const& key,
                           std::optional<std::string> const& value, std::int64_t incarnation = 1) {
  some_records r{of, incarnation};
  r.add(at, key, value);
  return r;
}
template <class F>
texts last(F& f) {
  return f.look("select k, v, sluice_deleted from last order by k");
}

template <class F>
void newest_is_kept(F& f) {
  STATIC_REQUIRE(sl::idempotent_output<decltype(f.output(key_and_text))>);
  auto out = f.output(key_and_text);
  auto const first = single(zero, 5, "a", "5"), late = single(zero, 3, "a", "3"), next = single(zero, 9, "a", "9");
  out(first.batch());
  CHECK(last(f) == texts{"a|5|0"});
  out(late.batch());
  CHECK(last(f) == texts{"a|5|0"});
  out(next.batch());
  out(first.batch());
  CHECK(last(f) == texts{"a|9|0"});
  out(sl::batch{});
}

template <class F>
void tombstones_stay(F& f) {
  auto out = f.output(key_and_text);
  out(single(zero, 5, "a", "5").batch());
  out(single(zero, 6, "a", std::nullopt).batch());
  CHECK(last(f) == texts{"a|null|1"});
  out(single(zero, 5, "a", "5").batch());
  CHECK(last(f) == texts{"a|null|1"});
  out(single(zero, 7, "a", "").batch());
  CHECK(last(f) == texts{"a||0"});
  out(single(zero, 8, "never seen", std::nullopt).batch());
  out(single(zero, 7, "never seen", "old").batch());
  CHECK(last(f) == texts{"a||0", "never seen|null|1"});
}

template <class F>
void mappings_choose(F& f) {
  auto out = f.output([](sl::record r, auto& row) {
    if (r.text() == "nothing") return;
    if (r.text() == "gone") return row.remove(r.key_text());
    row(r.key_text(), r.text());
    row(r.key_text(), "second of the same key");
    row(std::string(r.key_text()) + "2", r.text());
  });
  out(single(zero, 1, "a", "x").batch());
  CHECK(last(f) == texts{"a|x|0", "a2|x|0"});
  out(single(zero, 2, "a", "gone").batch());
  out(single(zero, 3, "a2", "nothing").batch());
  CHECK(last(f) == texts{"a|null|1", "a2|x|0"});
}

template <class F>
void new_incarnation(F& f) {
  auto out = f.output(key_and_text);
  out(single(zero, 100, "a", "old", 1000).batch());
  out(single(zero, 2, "a", "new", 1001).batch());
  CHECK(last(f) == texts{"a|new|0"});
  out(single(zero, 101, "a", "zombie", 1000).batch());
  CHECK(last(f) == texts{"a|new|0"});
}

template <class F>
void key_of_another_partition(F& f) {
  auto out = f.output(key_and_text);
  out(single(zero, 5, "CANARY", "5").batch());
  for (auto const& value : {std::optional<std::string>("CANARY"), std::optional<std::string>()}) {
    some_records other{one};
    other.add(6, "b", "6").add(7, "CANARY", value);
    auto const e = error_of([&] { out(other.batch()); });
    CHECK(e.code == sl::errc::bad_statement);
    CHECK_FALSE(e.of_store);
    CHECK_THAT(e.text, ContainsSubstring("6 bytes") && ContainsSubstring("orders/0") && ContainsSubstring("orders/1") &&
                           ContainsSubstring(".version"));
    CHECK_THAT(e.text, !ContainsSubstring("CANARY"));
    CHECK(last(f) == texts{"CANARY|5|0"});
  }
  CHECK(error_of([&] { out(single({"clicks", 0}, 6, "CANARY", "x").batch()); }).code == sl::errc::bad_statement);
}

template <class F>
void with_a_version(F& f) {
  f.upsert.version = [](sl::record r) { return std::stoll(std::string(r.text()).substr(0, 1)); };
  std::vector<some_records> all;
  all.push_back(single(zero, 100, "a", "1 old"));
  all.push_back(single(one, 3, "a", "2 tie from 1"));
  all.push_back(single(zero, 7, "a", "2 tie from 0"));
  all.push_back(single(one, 2, "a", "2 earlier in 1"));
  std::vector<std::size_t> order{0, 1, 2, 3};
  do {
    f.look("drop table if exists last");
    auto out = f.output(key_and_text);
    for (auto const i : order) out(all[i].batch());
    CHECK(last(f) == texts{"a|2 tie from 1|0"});
  } while (std::next_permutation(order.begin(), order.end()));
}

template <class F>
void keys_of_several_columns(F& f) {
  f.upsert.key = {"k", "part"};
  auto out = f.output([](sl::record r, auto& row) { row(r.key_text(), r.offset().value() % 2, r.text()); });
  some_records r{zero};
  r.add(1, "a", "1").add(2, "a", "2").add(3, "a", "3").add(4, "a", std::nullopt);
  out(r.batch());
  CHECK(f.look("select k, part, v, sluice_deleted from last order by part") == texts{"a|0|null|1", "a|1|3|0"});
}

template <class F>
void any_order_however_often(F& f) {
  std::minstd_rand random{seed()};
  std::vector<some_records> batches;
  std::map<std::string, std::string> newest;
  for (std::int64_t at = 0; at < 60;) {
    some_records b{zero};
    for (auto const end = at + 1 + static_cast<std::int64_t>(random() % 5); at < end; ++at) {
      auto const key = std::string(1, static_cast<char>('a' + random() % 4));
      bool const gone = random() % 4 == 0;
      b.add(at, key, gone ? std::nullopt : std::optional(std::to_string(at)));
      newest[key] = key + "|" + (gone ? "null|1" : std::to_string(at) + "|0");
    }
    batches.push_back(std::move(b));
  }
  texts want;
  for (auto const& [_, row] : newest) want.push_back(row);
  auto out = f.output(key_and_text);
  std::vector<std::size_t> order;
  for (std::size_t i = 0; i < batches.size(); ++i) order.insert(order.end(), 1 + random() % 3, i);
  std::shuffle(order.begin(), order.end(), random);
  for (auto const i : order) out(batches[i].batch());
  CHECK(last(f) == want);
}

template <class F>
void impossible_configurations(F& f) {
  auto const refused = [&] {
    auto const e = error_of([&] { f.output(key_and_text); });
    CHECK(e.code == sl::errc::bad_configuration);
    return e.text;
  };
  auto const good = f.upsert;
  std::string const who = F::who;
  f.upsert.table = "no good";
  CHECK_THAT(refused(), ContainsSubstring(who + ".table"));
  f.upsert = good;
  f.upsert.key = {};
  CHECK_THAT(refused(), ContainsSubstring(who + ".key"));
  f.upsert.key = {"v"};
  CHECK_THAT(refused(), ContainsSubstring("twice"));
  f.upsert.key = {"sluice_offset"};
  CHECK_THAT(refused(), ContainsSubstring("sluice_"));
  f.upsert = good;
  f.upsert.columns = {"v; drop table last"};
  refused();
  f.upsert = good;
  f.look("create table last (k varchar(99) primary key, v text)");
  CHECK_THAT(refused(), ContainsSubstring(who + ".table") && ContainsSubstring("lacks"));
}

// ---- the cases of those that are stricter with types

template <class F>
void throwing_mapping(F& f) {
  struct mine {};
  auto out = f.output([](sl::record r, auto& row) {
    if (r.offset() == sl::offset{3}) throw mine{};
    row(r.key_text(), r.text());
  });
  some_records r{zero};
  r.add(1, "a", "1").add(2, "b", "2").add(3, "c", "3");
  CHECK_THROWS_AS(out(r.batch()), mine);
  CHECK(last(f).empty());
  out(single(zero, 1, "a", "1").batch());
  CHECK(last(f) == texts{"a|1|0"});
}

/// There is a table `typed`: k and v are numbers, v below 10.
template <class F>
void rows_that_do_not_fit(F& f) {
  auto few = f.output([](sl::record, auto& row) { row(); });
  auto no_key = f.output(key_and_text);
  f.upsert.table = "typed";
  auto typed = f.output(key_and_text);
  auto const r = single(zero, 1, std::nullopt, "CANARY"), text = single(zero, 1, "7", "CANARY"),
             big = single(zero, 1, "7", "11");
  for (auto const& e : {error_of([&] { few(r.batch()); }), error_of([&] { no_key(r.batch()); }),
                        error_of([&] { typed(text.batch()); }), error_of([&] { typed(big.batch()); })}) {
    CHECK(e.code == sl::errc::bad_statement);
    CHECK_FALSE(e.of_store);
    CHECK_THAT(e.text, !ContainsSubstring("CANARY"));
  }
  typed(single(zero, 2, "7", "9").batch());
  CHECK(f.look("select k, v from typed") == texts{"7|9"});
}

/// Runs the cases of stores whose rows have one key and no types, each on a fixture of its own.
template <class F>
void hold_by_one_key() {
  on_fresh<F>("the newest of each key is kept, in any order, however often", newest_is_kept<F>);
  on_fresh<F>("a tombstone stays, so that nothing old comes back", tombstones_stay<F>);
  on_fresh<F>("a mapping may remove a key itself, write no row, or several", mappings_choose<F>);
  on_fresh<F>("a new incarnation is newer, whatever its offsets", new_incarnation<F>);
  on_fresh<F>("a key from another partition is an error that names both, and nothing of its batch is kept",
              key_of_another_partition<F>);
  on_fresh<F>("with a version keys may come from anywhere, and the order of arrival does not matter",
              with_a_version<F>);
  on_fresh<F>("repeated, late and reordered batches end as if each record had been applied once",
              any_order_however_often<F>);
}

/// Runs every case.
template <class F>
void hold() {
  hold_by_one_key<F>();
  on_fresh<F>("keys of several columns", keys_of_several_columns<F>);
  on_fresh<F>("what the configuration can't be is told at construction", impossible_configurations<F>);
}

}  // namespace upsert_cases
