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

TEST_CASE_METHOD(fixture, "values come back as they were") {
  auto const insert = "insert into t (what) values (?)";
  std::array const raw{std::byte{0}, std::byte{255}};
  std::string const text = "na\xc3\xafve'\"; drop table t";
  tx->execute(insert, 7);
  tx->execute(insert, std::numeric_limits<std::int64_t>::min());
  tx->execute(insert, std::uint8_t{200});
  tx->execute(insert, true);
  tx->execute(insert, 0.5);
  tx->execute(insert, 0.25f);
  tx->execute(insert, text);
  tx->execute(insert, std::string_view{text});
  tx->execute(insert, text.c_str());
  tx->execute(insert, "literal");
  tx->execute(insert, sl::bytes{raw});
  tx->execute(insert, raw);
  tx->execute(insert, sl::as_bytes(std::string_view{""}));
  tx->execute(insert, sl::bytes{});
  tx->execute(insert, std::string_view{});
  tx->execute(insert, static_cast<char const*>(nullptr));
  tx->execute(insert, nullptr);
  tx->execute(insert, std::nullopt);
  tx->execute(insert, std::optional<std::string>{});
  tx->execute(insert, std::optional{3});
  tx->execute(insert, offset{1234});
  tx->execute(insert, sl::wall_time{std::chrono::milliseconds{99}});
  tx->execute(insert, std::string{});

  int i = 0;
  auto answer = tx->query("select what from t order by id");
  auto at = answer.begin();
  auto const next = [&](auto check) {
    INFO("row " << i++);
    REQUIRE(at != answer.end());
    check(*at);
    ++at;
  };
  auto const is_null = [](sl::sqlite_row r) { CHECK_FALSE(r.get<std::optional<std::int64_t>>(0)); };
  auto const is_text = [&](sl::sqlite_row r) { CHECK(r.get<std::string>(0) == text); };
  auto const is_raw = [&](sl::sqlite_row r) {
    auto const b = r.get<sl::bytes>(0);
    CHECK(std::ranges::equal(b, raw));
  };
  next([](auto r) { CHECK(r.template get<int>(0) == 7); });
  next([](auto r) { CHECK(r.template get<std::int64_t>(0) == std::numeric_limits<std::int64_t>::min()); });
  next([](auto r) { CHECK(r.template get<unsigned>(0) == 200); });
  next([](auto r) { CHECK(r.template get<bool>(0)); });
  next([](auto r) { CHECK(r.template get<double>(0) == 0.5); });
  next([](auto r) { CHECK(r.template get<float>(0) == 0.25f); });
  for (int n = 0; n < 3; ++n) next(is_text);
  next([](auto r) { CHECK(r.template get<std::string_view>(0) == "literal"); });
  next(is_raw);
  next(is_raw);
  next([](auto r) { CHECK(r.template get<std::optional<sl::bytes>>(0)->empty()); });
  for (int n = 0; n < 6; ++n) next(is_null);
  next([](auto r) { CHECK(r.template get<std::optional<int>>(0) == 3); });
  next([](auto r) { CHECK(r.template get<offset>(0) == offset{1234}); });
  next([](auto r) { CHECK(r.template get<int>(0) == 99); });
  next([](auto r) { CHECK(r.template get<std::optional<std::string>>(0) == ""); });
  CHECK(at == answer.end());
}

TEST_CASE_METHOD(fixture, "a column of another type is refused, not converted") {
  auto answer = tx->query("select 300, 'CANARY', null, 1.5");
  columns_are_not_converted(*answer.begin(), 4);
  wrong_type([&] { (void)(*answer.begin()).get<std::string>(0); });
}

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

TEST_CASE_METHOD(fixture, "a statement that can't be run is the handler's fault, and its error holds no value") {
  std::string const canary = "CANARY";
  tx->execute("create table strict_one (n integer not null check (n < 10), u text unique) strict");
  tx->execute("insert into strict_one values (1, ?)", canary);
  std::vector<thrown> const all{
      refused("insert into"),
      refused("insert into nowhere values (?)", canary),
      refused(""),
      refused("-- nothing"),
      refused("select 1; select 2"),
      refused("select ?, ?", canary),
      refused("select 1", canary),
      refused("insert into strict_one values (2, ?)", canary),
      refused("insert into strict_one values (?, null)", canary),
      refused("insert into strict_one values (?, null)", 11),
      refused("insert into strict_one values (?, null)", nullptr),
      refused("insert into t (id) values (?)", canary),
      refused("select json_extract('{}', ?)", canary),
      refused("select abs(?)", std::numeric_limits<std::int64_t>::min()),
      refused("insert into t (what) values (?)", std::numeric_limits<std::uint64_t>::max()),
      refused("insert into nowhere values ('CANARY')"),
      refused("insert into t values ('a' 'CANARY')"),
  };
  for (auto const& e : all) CHECK_THAT(e.text, !ContainsSubstring(canary));
  CHECK_THAT(all[1].text, ContainsSubstring("insert into nowhere") && ContainsSubstring("no such table"));
  CHECK_THAT(all[7].text, ContainsSubstring("UNIQUE") && ContainsSubstring("strict_one.u"));
  tx->execute("insert into t (what) values ('after')");
  CHECK(commit() == outcome::applied);
  CHECK(typed() == texts{"1|after|text"});
}

TEST_CASE_METHOD(fixture, "a handler's SQL can't begin, end or leave the transaction") {
  for (auto const* sql : {"begin", "commit", "end", "rollback", "attach ':memory:' as other", "savepoint sluice_record",
                          "release sluice_record", "pragma synchronous = off", "pragma journal_mode = delete"})
    refused(sql);
  for (auto const* sql : {"commit", "rollback"})
    CHECK(sqlite3_exec(tx->native_handle(), sql, nullptr, nullptr, nullptr) != SQLITE_OK);
  tx->execute("savepoint mine");
  tx->execute("insert into t (what) values (1)");
  tx->execute("rollback to mine");
  tx->execute("release mine");
  tx->execute("insert into t (what) values (2)");
  CHECK(commit() == outcome::applied);
  CHECK(typed() == texts{"1|2|integer"});
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
