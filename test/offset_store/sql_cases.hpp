/// \file sql_cases.hpp  What every store that keeps its positions in SQL tables must do beside the contract, written once.
///
/// A fixture as contract.hpp wants it, with the table sluice_offsets, and besides:
///
///     std::vector<std::string> look(std::string const& sql);  // all rows, columns between '|', null as "null"
///     static std::string const all_letters;   // a query of all columns of sluice_offsets_skipped, by partition
///     static std::string const letter_value, letter_error;  // of a record that is set aside
///     static std::string const letter_shown, error_shown;  // what all_letters shows of these two
///
///     TEST_CASE("sqlite_offsets does what SQL stores must do") { sql_cases::hold<fixture>(); }
#pragma once
#include "contract.hpp"
#include "some_records.hpp"

namespace sql_cases {

using namespace contract;

template <class F>
void released_claim(F& f) {
  auto [r, set, s, c] = claim_orders(f);
  s->release({c[0]}, soon());
  CHECK(advance(*s, {to(c[0], 15), to(c[1], 25)}) == all{outcome::refused, outcome::applied});
  CHECK(s->record({{c[0].of, offset{1}, c[0].mine, "seek"}}, soon())[0].what == sl::claimed::failed);
}

template <class F>
void starts_that_cannot_be_resolved(F& f) {
  struct failing final : sl::start_resolver {
    sl::topic_start start_of(std::string const&, sl::time_point) override {
      throw sl::error(sl::errc::no_position, "none");
    }
    offset earliest(sl::topic_partition const&, sl::time_point) override { return {}; }
  } none;
  auto const s = f.open();
  auto const set = partitions("orders", {0});
  CHECK(error_of([&] { s->claim("billing", set, none, soon()); }).code == sl::errc::no_position);
  CHECK(f.look("select count(*) from sluice_offsets_topics") == texts{"0"});
  auto r = orders();
  CHECK(claim(*s, "billing", set, r)[0].what == sl::claimed::first);
}

template <class F>
void incarnation_after_a_loss(F& f) {
  auto [r, set, s, c] = claim_orders(f, {0});
  s->record({{set[0], offset{1}, c[0].mine, "seek"}}, soon());
  auto const far = std::to_string(wall_ms() + 1'000'000);
  f.look("update sluice_offsets_rewinds set incarnation = " + far);
  f.forget("billing", set[0]);
  auto const again = claim(*s, "billing", set, r);
  CHECK(again[0].what == sl::claimed::missing);
  CHECK(again[0].log.incarnation == std::stoll(far) + 1);
}

template <class F>
void rewinds_as_rows(F& f) {
  auto [r, set, s, c] = claim_orders(f, {1});
  s->record({{set[0], offset{3}, c[0].mine, "out of range"}}, soon());
  CHECK(f.look("select grp, topic, w.partition, cause, from_offset, to_offset from sluice_offsets_rewinds w") ==
        texts{"billing|orders|1|out of range|20|3"});
}

/// A record of each of two partitions, to be set aside, and how their rows are shown.
template <class F>
struct two_letters {
  some_records zero{{"orders", 0}, 77}, one{{"orders", 1}, 78};
  std::string first = "billing|orders|0|12|77|1700000000012|key|" + F::letter_shown +
                      R"(|[["trace","AP8="],["",null],["trace",""]]|)" + F::error_shown + "|3|5";
  std::string second = "billing|orders|1|22|78|1700000000022|null||null||1|6";

  two_letters() {
    zero.add(12, "key", F::letter_value, {{"trace", std::string{"\0\xff", 2}}, {"", std::nullopt}, {"trace", ""}});
    one.add(22, std::nullopt, "");
  }
  template <class S>
  void set_first_aside(S& s, std::string const& table = "") const {
    s.set_aside(table, {zero[0], F::letter_error, 3, sl::wall_time{5ms}});
  }
  template <class S>
  void set_aside(S& s, std::string const& table = "") const {
    set_first_aside(s, table);
    s.set_aside(table, {one[0], "", 1, sl::wall_time{6ms}});
  }
};
template <class F>
texts letters_in(F& f) {
  return f.look(F::all_letters);
}

template <class F>
void letters_of_each_partition(F& f) {
  auto [r, set, s, c] = claim_orders(f);
  two_letters<F> const letters;
  letters.set_aside(*s);
  CHECK(letters_in(f).empty());
  CHECK(advance(*s, {to(c[0], 15)}) == all{outcome::applied});
  CHECK(letters_in(f) == texts{letters.first});
  CHECK(advance(*s, {to(c[1], 25)}) == all{outcome::applied});
  CHECK(letters_in(f) == texts{letters.first, letters.second});
}

template <class F>
void letters_of_a_refused_advance(F& f) {
  auto [r, set, s, c] = claim_orders(f);
  two_letters<F> const letters;
  auto const now = claim(*f.open(), "billing", {set[0]}, r);
  letters.set_aside(*s);
  CHECK(advance(*s, {to(c[0], 15), to(c[1], 25)}) == all{outcome::refused, outcome::applied});
  CHECK(letters_in(f) == texts{letters.second});
  CHECK(advance(*s, {to(now[0], 15)}) == all{outcome::applied});
  CHECK(letters_in(f) == texts{letters.second});
}

template <class F>
void letters_of_a_partition_claimed_again(F& f) {
  auto [r, set, s, c] = claim_orders(f);
  two_letters<F> const letters;
  letters.set_aside(*s);
  auto const now = claim(*s, "billing", {set[0]}, r);
  CHECK(advance(*s, {to(now[0], 15), to(c[1], 25)}) == all(2, outcome::applied));
  CHECK(letters_in(f) == texts{letters.second});
}

template <class F>
void letters_in_the_handlers_transaction(F& f) {
  auto [r, set, s, c] = claim_orders(f);
  two_letters<F> const letters;
  std::vector const moves{to(c[0], 15), to(c[1], 25)};
  letters.set_aside(*s);  // belongs to no transaction: waits
  for (bool const committed : {false, true}) {
    auto& tx = s->begin(moves, soon());
    letters.set_first_aside(*s);
    if (committed) {
      s->advance(tx, moves, soon());
      CHECK(s->commit(tx, soon()) == outcome::applied);
    } else {
      s->rollback(tx);
      CHECK(letters_in(f).empty());
    }
  }
  CHECK(letters_in(f) == texts{letters.first});
}

template <class F>
void letters_in_a_table_of_the_users(F& f) {
  auto [r, set, s, c] = claim_orders(f);
  two_letters<F> const letters;
  CHECK(error_of([&] { letters.set_aside(*s, "dead"); }).code == sl::errc::bad_configuration);
  s->prepare_table("dead");
  letters.set_aside(*s, "dead");
  CHECK(advance(*s, {to(c[0], 15)}) == all{outcome::applied});
  CHECK(letters_in(f).empty());
  CHECK(f.look("select attempts from dead") == texts{"3"});
  f.open()->prepare_table("dead");
}

template <class F>
void tables_that_are_not_for_letters(F& f) {
  f.look("create table mine (x int)");
  auto const s = f.open();
  CHECK(error_of([&] { s->prepare_table("mine"); }).code == sl::errc::bad_configuration);
  CHECK(error_of([&] { s->prepare_table("no good"); }).code == sl::errc::bad_configuration);
}

/// Of a version that did not keep headers.
template <class F>
void tables_without_headers(F& f) {
  f.open();
  f.look("alter table sluice_offsets_skipped drop column headers");
  {
    auto [r, set, s, c] = claim_orders(f);
    two_letters<F> const letters;
    letters.set_aside(*s);
    CHECK(advance(*s, {to(c[0], 15)}) == all{outcome::applied});
    CHECK(letters_in(f) == texts{letters.first});
  }
  f.open();
}

/// Runs every case, each on a fixture of its own.
template <class F>
void hold() {
  static_assert(sl::transactional_store<typename F::store>);
  static_assert(sl::sets_aside<typename F::store>);
  on_fresh<F>("a released claim can't be advanced any more", released_claim<F>);
  on_fresh<F>("a claim whose starts can't be resolved leaves nothing behind", starts_that_cannot_be_resolved<F>);
  on_fresh<F>("the incarnation of a position that was lost starts above what was recorded for it",
              incarnation_after_a_loss<F>);
  on_fresh<F>("rewinds are kept with their cause and where they led", rewinds_as_rows<F>);
  on_fresh<F>("a record set aside becomes durable with its own partition's advance", letters_of_each_partition<F>);
  on_fresh<F>("not where that is refused, and not later either", letters_of_a_refused_advance<F>);
  on_fresh<F>("not where the partition was claimed again since", letters_of_a_partition_claimed_again<F>);
  on_fresh<F>("in the handler's transaction, at once", letters_in_the_handlers_transaction<F>);
  on_fresh<F>("in a table of the user's choice, which was prepared", letters_in_a_table_of_the_users<F>);
  on_fresh<F>("not in a table that is no good for it", tables_that_are_not_for_letters<F>);
  on_fresh<F>("a table of an earlier version gets the column that it lacks", tables_without_headers<F>);
}

}  // namespace sql_cases
