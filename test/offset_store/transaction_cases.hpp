/// \file transaction_cases.hpp  What the handler's transaction of every SQL store must do, written once.
///
/// On a fixture that is an open_transaction over the store's own, with a table t (id, what), and besides:
///
///     std::vector<std::string> whats();  // of t, by id, as they are committed
#pragma once
#include "contract.hpp"
#include "thrown.hpp"

namespace transaction_cases {

using namespace contract;
using Catch::Matchers::ContainsSubstring;

/// A store with one partition claimed, and a transaction that is open.
template <class F>
struct open_transaction : F {
  using transaction = typename F::store::transaction;
  static_assert(!std::is_copy_constructible_v<transaction> && !std::is_move_constructible_v<transaction>);

  std::unique_ptr<typename F::store> s = this->open();
  std::vector<sl::move> moves{};
  transaction* tx = nullptr;

  open_transaction() {
    resolver r{{{"orders", {offset{10}}}}};
    moves = {to(claim(*s, "billing", {{"orders", 0}}, r)[0], 11)};
    tx = &s->begin(moves, soon());
  }
  outcome commit() {
    s->advance(*tx, moves, soon());
    return s->commit(*tx, soon());
  }
  /// The statement is the handler's failure.
  template <class... A>
  thrown refused_alone(std::string_view sql, A const&... args) {
    auto const e = error_of([&] { tx->execute(sql, args...); });
    INFO(sql);
    CHECK(e.code == sl::errc::bad_statement);
    CHECK_FALSE(e.of_store);
    return e;
  }
  /// The same, undone alone, and with no value in its text.
  template <class... A>
  thrown refused(std::string_view sql, A const&... args) {
    tx->savepoint();
    auto const e = refused_alone(sql, args...);
    tx->rollback_to_savepoint();
    INFO(sql);
    CHECK_THAT(e.text, !ContainsSubstring("CANARY"));
    return e;
  }
};

template <class Read>
void wrong_type(Read read) {
  auto const e = error_of(read);
  CHECK(e.code == sl::errc::bad_statement);
  CHECK_THAT(e.text, !ContainsSubstring("CANARY"));
}

/// `row`: 300, 'CANARY', null, 1.5, and what else the store has.
template <class Row>
void columns_are_not_converted(Row const& row, int size) {
  CHECK(row.size() == size);
  wrong_type([&] { (void)row.template get<std::uint8_t>(0); });
  wrong_type([&] { (void)row.template get<int>(1); });
  wrong_type([&] { (void)row.template get<double>(1); });
  wrong_type([&] { (void)row.template get<int>(2); });
  wrong_type([&] { (void)row.template get<std::string>(2); });
  wrong_type([&] { (void)row.template get<int>(3); });
  wrong_type([&] { (void)row.template get<int>(size); });
  wrong_type([&] { (void)row.template get<int>(-1); });
  auto const [n, text, nothing] = row.template as<int, std::string_view, std::optional<int>>();
  CHECK(n == 300);
  CHECK(text == "CANARY");
  CHECK_FALSE(nothing);
}

/// `disturb` is done within each of the records that are undone.
template <class F, class Disturb>
void savepoints(F& f, Disturb disturb) {
  auto& tx = *f.tx;
  tx.execute("insert into t (what) values ('before')");
  for (int i = 0; i < 3; ++i) {
    tx.savepoint();
    tx.execute("insert into t (what) values ('undone')");
    [[maybe_unused]] auto const open = disturb();
    tx.rollback_to_savepoint();
    tx.release_savepoint();  // there is none any more: nothing happens
  }
  tx.savepoint();
  tx.execute("insert into t (what) values ('kept')");
  tx.release_savepoint();
  tx.rollback_to_savepoint();
  CHECK(f.commit() == outcome::applied);
  CHECK(f.whats() == texts{"before", "kept"});
}

}  // namespace transaction_cases
