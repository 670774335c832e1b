#include <sluice/offset_store/sqlite_transaction.hpp>

#include <sluice/offset_store/sqlite.hpp>

#include <array>
#include <limits>

#include "sqlite_support.hpp"
#include "transaction_cases.hpp"

namespace {

using namespace transaction_cases;

struct fixture : open_transaction<sqlite_fixture> {
  std::string file = config.path;

  fixture() { tx->execute("create table t (id integer primary key, what)"); }
  template <class... A>
  thrown refused(std::string_view sql, A const&... args) {
    return refused_alone(sql, args...);
  }
  texts typed() { return look("select id, what, typeof(what) from t order by id"); }
  texts whats() { return look("select what from t order by id"); }
  int statements() {
    int n = 0;
    for (auto* statement = sqlite3_next_stmt(tx->native_handle(), nullptr); statement;
         statement = sqlite3_next_stmt(tx->native_handle(), statement))
      ++n;
    return n;
  }
};

}  // namespace

TEST_CASE_METHOD(fixture, "execute answers how many rows changed, and runs what answers rows to its end") {
  CHECK(tx->execute("insert into t (what) values (1), (2), (3)") == 3);
  CHECK(tx->execute("update t set what = 9 where id > ?", 1) == 2);
  tx->execute("insert into t (what) select what from t returning id");
  CHECK(commit() == outcome::applied);
  CHECK(typed().size() == 6);
}

TEST_CASE_METHOD(fixture, "a query answers its rows, keeps its values, and may be nested in itself") {
  for (int i = 1; i <= 3; ++i) tx->execute("insert into t values (?, ?)", i, i * 10);
  auto const sql = "select id, what from t where id >= ? order by id";
  std::vector<std::string> seen;
  for (auto row : tx->query(sql, 2))
    for (auto inner : tx->query(sql, 3))
      seen.push_back(std::to_string(row.get<int>(0)) + " " + std::to_string(inner.get<int>(1)));
  CHECK(seen == texts{"2 30", "3 30"});
  std::string of_its_own;
  for (auto row : tx->query("select ? from t", std::string(100, 'x') + "y")) of_its_own = row.get<std::string>(0);
  CHECK(of_its_own == std::string(100, 'x') + "y");
  CHECK(tx->query("select 1 where 0").empty());
}

TEST_CASE_METHOD(fixture, "a query that changes something does so even if its rows are not read") {
  { auto const unread = tx->query("insert into t (what) values ('a') returning id"); }
  CHECK(commit() == outcome::applied);
  CHECK(typed() == texts{"1|a|text"});
}

TEST_CASE_METHOD(fixture, "statements are prepared once, by their text") {
  auto const insert = std::string("insert into t (what) values (?)");
  auto const select = std::string("select what from t where what = ?");
  tx->execute(insert, 0);
  { auto const unread = tx->query(select, 1); }
  auto const before = statements();
  for (int i = 0; i < 100; ++i) {
    tx->execute(std::string(insert), i);  // another place, the same text
    { auto const unread = tx->query(std::string(select), i); }
    auto again = tx->prepare(insert);
    again.execute(i);
  }
  CHECK(statements() == before);
  auto reused = std::string("insert into t (what) values (1)");
  tx->execute(reused);
  reused.replace(reused.find("1"), 1, "2");  // the same place and length, another text
  tx->execute(reused);
  CHECK_FALSE(tx->query("select 1 from t where what = 2 and id = (select max(id) from t)").empty());
  for (int i = 0; i < 500; ++i) tx->execute("select " + std::to_string(i));
  CHECK(statements() < before + 100);
  auto kept = tx->prepare(insert);
  for (int i = 0; i < 500; ++i) tx->execute("select -" + std::to_string(i));
  kept.execute(77);
  CHECK(tx->execute("delete from t where what = 77") == 3);
}

TEST_CASE_METHOD(fixture, "a conflict that rolls all back ends the transaction: nothing is written behind it") {
  tx->execute("insert into t values (1, 'a')");
  refused("insert or rollback into t values (1, 'b')");
  auto const behind = error_of([&] { tx->execute("insert into sluice_offsets_meta values ('late', 'x')"); });
  CHECK(behind.code == sl::errc::bad_statement);
  CHECK(behind.of_store);
  CHECK(error_of([&] { tx->savepoint(); }).of_store);
  CHECK(error_of([&] { s->advance(*tx, moves, soon()); }).of_store);
  CHECK(error_of([&] { s->commit(*tx, soon()); }).of_store);
  s->rollback(*tx);
  CHECK(rows(file, "select next from sluice_offsets") == texts{"10"});
  CHECK(rows(file, "select 1 from sluice_offsets_meta where name = 'late'").empty());
  tx = &s->begin(moves, soon());
  tx->execute("create table t (id integer primary key, what)");
  CHECK(commit() == outcome::applied);
}

TEST_CASE_METHOD(fixture, "a savepoint undoes one record's statements and no others") {
  savepoints(*this, [&] { return tx->query("select * from t"); });
}

TEST_CASE_METHOD(fixture, "rows and statements that a handler left open do not keep the transaction from ending") {
  tx->execute("insert into t (what) values (1), (2)");
  auto rows_left = tx->query("select id from t");
  auto left = tx->prepare("insert into t (what) values (?)");
  left.execute(3);
  SECTION("commit") {
    CHECK(commit() == outcome::applied);
    CHECK(typed().size() == 3);
  }
  SECTION("rollback") {
    s->rollback(*tx);
    CHECK(rows(file, "select name from sqlite_schema where name = 't'").empty());
  }
}

TEST_CASE_METHOD(fixture, "a transaction that was never advanced is not committed") {
  tx->execute("insert into t (what) values (1)");
  CHECK(s->commit(*tx, soon()) == outcome::refused);
  CHECK(rows(file, "select name from sqlite_schema where name = 't'").empty());
}

TEST_CASE_METHOD(fixture, "the store's settings hold on the connection that handlers get") {
  CHECK((*tx->query("select synchronous from pragma_synchronous").begin()).get<int>(0) == 2);
  CHECK((*tx->query("select journal_mode from pragma_journal_mode").begin()).get<std::string>(0) == "wal");
  auto const as_by_default = rows(file, "pragma foreign_keys")[0];
  CHECK(std::to_string((*tx->query("select foreign_keys from pragma_foreign_keys").begin()).get<int>(0)) ==
        as_by_default);
}
