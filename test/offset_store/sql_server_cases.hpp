/// \file sql_server_cases.hpp  What every store that keeps its positions in an SQL server's tables must do, written once.
///
/// A fixture as sql_cases.hpp and contract_network.hpp want it, and besides:
///
///     using policy = sl::postgres_offsets;
///     policy config;
///     static std::string password();   // the server's, which no error may hold
///
///     TEST_CASE("postgres_offsets does what stores in SQL servers must do") { sql_server_cases::hold<fixture>(); }
#pragma once
#include "contract_network.hpp"
#include "sql_cases.hpp"

namespace sql_server_cases {

using namespace contract;
using Catch::Matchers::ContainsSubstring;

/// What opening throws; the password is in no error.
template <class F>
thrown refused(F& f) {
  auto const e = error_of([&] { typename F::store const s{F::policy::open(f.config, {})}; });
  CHECK_THAT(e.text, !ContainsSubstring(F::password()) && !ContainsSubstring("CANARY"));
  return e;
}

template <class F>
void table_of_the_name(F& f) {
  f.look("create table sluice_offsets (mine int); insert into sluice_offsets values (7)");
  auto const e = refused(f);
  CHECK(e.code == sl::errc::bad_configuration);
  CHECK_THAT(e.text, ContainsSubstring("the table sluice_offsets"));
  CHECK(f.look("select * from sluice_offsets") == texts{"7"});
  f.config.table = "others";
  CHECK(refused(f).text == "");
}

template <class F>
void newer_format(F& f) {
  f.open();
  f.look("update sluice_offsets_meta set value = '2' where name = 'format'");
  auto const e = refused(f);
  CHECK(e.code == sl::errc::store_newer);
  CHECK(e.of_store);
  f.look("update sluice_offsets_meta set value = 'rubbish' where name = 'format'");
  CHECK(refused(f).code == sl::errc::store_damaged);
}

template <class F>
void several_makers(F& f) {
  std::atomic<int> opened{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i)
    threads.emplace_back([&] {
      if (error_of([&] { typename F::store const s{F::policy::open(f.config, {})}; }).text.empty()) ++opened;
    });
  for (auto& t : threads) t.join();
  CHECK(opened == 4);
}

template <class F>
void letters_come_once(F& f, trouble t) {
  servers::proxy p{f.port()};
  auto r = orders();
  auto const set = partitions("orders", {0, 1});
  auto const s = f.open(p.port());
  std::int64_t n = 0;
  at_each_request(p, t, [&](unsigned k, auto met) {
    auto const moves = to_all(claim_in_the_end(*s, "billing", set, r), 5);
    some_records letter{set[0]};
    letter.add(moves[0].from.value(), "k", "v");
    s->set_aside("", {letter[0], "broken", 1, {}});
    p.arrange(t, k);
    auto answers = advance(*s, moves);
    met();
    settle(*s, moves, answers);
    p.deliver();
    CHECK(answers == all(2, outcome::applied));
    CHECK(f.look("select count(*) from sluice_offsets_skipped") == texts{std::to_string(++n)});
  });
}

/// `other` holds a lock on the second of two rows that an advance wants; `lock` takes the first one's, so that the server
/// ends one of both, not the other. `wait` returns when the advance waits.
template <class Store, class Wait, class Lock, class Undo>
void advance_in_a_deadlock(Store& s, std::vector<sl::move> const& moves, Wait wait, Lock lock, Undo undo) {
  std::vector<outcome> answers;
  std::string trouble_met;
  std::thread advancing{[&] {
    try {
      answers = advance(s, moves);
    } catch (std::exception const& e) { trouble_met = e.what(); }
  }};
  try {
    wait();
    lock();
  } catch (std::exception const& e) { trouble_met = e.what(); }
  undo();
  advancing.join();
  CHECK(trouble_met == "");
  CHECK(answers == all(2, outcome::applied));
}

template <class F>
void hold() {
  on_fresh<F>("a table that is somebody else's is left alone", table_of_the_name<F>);
  on_fresh<F>("a table of a newer format is refused", newer_format<F>);
  on_fresh<F>("several that make the tables at once don't disturb each other", several_makers<F>);
  for (auto const t : {trouble::cut_before, trouble::cut_after, trouble::hold})
    on_fresh<F>("records set aside come once, and " + name_of(t), [t](F& f) { letters_come_once(f, t); });
}

}  // namespace sql_server_cases
