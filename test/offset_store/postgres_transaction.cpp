#include <sluice/offset_store/postgres_transaction.hpp>

#include <sluice/offset_store/postgres.hpp>

#include <array>
#include <limits>

#include "postgres_support.hpp"
#include "transaction_cases.hpp"

namespace {

using namespace transaction_cases;

struct fixture : open_transaction<postgres_fixture> {
  fixture() { look("create table t (id serial primary key, what text)"); }
  texts whats() { return look("select what from t order by id"); }
};

}  // namespace

TEST_CASE_METHOD(fixture, "execute answers how many rows changed; a query's rows may outlive the next one") {
  CHECK(tx->execute("insert into t (what) values ('a'), ('b'), ('c')") == 3);
  CHECK(tx->execute("update t set what = 'd' where id > $1", 1) == 2);
  std::vector<std::string> seen;
  for (auto row : tx->query("select id from t where id >= $1 order by id", 2))
    for (auto inner : tx->query("select what from t where id = $1", row.get<int>(0)))
      seen.push_back(inner.get<std::string>(0));
  CHECK(seen == texts{"d", "d"});
  CHECK(tx->query("select 1 where false").empty());
  CHECK(commit() == outcome::applied);
  CHECK(whats() == texts{"a", "d", "d"});
}

TEST_CASE_METHOD(fixture, "what a function can't take is the record's fault, whatever its author calls it") {
  CHECK(error_of([&] { tx->execute("do $$ begin raise exception 'bad' using errcode = 'XX000'; end $$"); }).code ==
        sl::errc::bad_statement);
  s->rollback(*tx);
  tx = &s->begin(moves, soon());
  auto const damage =
      error_of([&] { tx->execute("do $$ begin raise exception 'bad' using errcode = 'XX001'; end $$"); });
  CHECK(damage.of_store);
  CHECK(damage.code == sl::errc::store_damaged);
}

TEST_CASE_METHOD(fixture, "a prepared statement is prepared once, for its text and its types, in each session") {
  auto const prepared = [&] { return (*tx->query("select count(*) from pg_prepared_statements").begin()).get<int>(0); };
  auto insert = tx->prepare("insert into t (what) values ($1)");
  for (int i = 0; i < 10; ++i) CHECK(insert.execute(i) == 1);
  CHECK(tx->prepare("insert into t (what) values ($1)").execute("x") == 1);
  CHECK(prepared() == 1);
  tx->execute("create temp table y (y bytea)");
  auto bytes = tx->prepare("insert into y values ($1)");
  bytes.execute(sl::as_bytes(std::string_view{"\\x00"}));
  bytes.execute("\\x00");
  CHECK(prepared() == 3);
  for (int i = 0; i < 100; ++i) tx->prepare("select " + std::to_string(i)).execute();
  CHECK(prepared() <= 64);
  CHECK(insert.execute("last") == 1);
  CHECK(error_of([&] { tx->prepare("commit").execute(); }).code == sl::errc::bad_statement);
  CHECK(commit() == outcome::applied);
  CHECK(whats().size() == 12);
  restart();
  auto const again = advance(*s, {moves[0]});
  CHECK(again[0] == outcome::applied);  // the old session's end was noticed before anything was asked
  moves[0].from = moves[0].until;
  moves[0].until = moves[0].until.next();
  tx = &s->begin(moves, soon());
  CHECK(tx->prepare("insert into t (what) values ($1)").execute("again") == 1);
  CHECK(commit() == outcome::applied);
}

TEST_CASE_METHOD(fixture, "a statement that can't be run is the handler's fault, and its error holds no value") {
  std::string const canary = "CANARY";
  tx->execute("create table one (n integer not null check (n < 10), u text unique, r int references t(id))");
  tx->execute("insert into one values (1, $1)", canary);
  std::vector<thrown> const all{
      refused("insert into"),
      refused("insert into nowhere values ($1)", canary),
      refused(""),
      refused("-- nothing"),
      refused("select 1; select 2"),
      refused("select $1::text, $2::text", canary),
      refused("select 1", canary),
      refused("insert into one values (2, $1)", canary),
      refused("insert into one values ($1, null)", canary),
      refused("insert into one values ($1, null)", 11),
      refused("insert into one values ($1, null)", nullptr),
      refused("insert into one values (3, null, 99)"),
      refused("select 'CANARY'::int"),
      refused("select $1::json", canary),
      refused("select 1 / $1::int", 0),
      refused("insert into one (n) values ($1)", std::numeric_limits<std::uint64_t>::max()),
      refused("insert into t (what) values ($1)", std::string_view("CANARY\0x", 8)),
      refused("insert into t (what) values ($1)", "CANARY\xff"),
      refused("insert into nowhere values ('CANARY')"),
      refused("select syntax 'CANARY' error 'CANARY'"),
      refused("do $$ begin raise exception 'CANARY'; end $$"),
      refused("select \"no such column\" from t"),
      refused("copy t from stdout no"),
  };
  CHECK_THAT(all[1].text, ContainsSubstring("insert into nowhere") && ContainsSubstring("does not exist"));
  CHECK_THAT(all[7].text, ContainsSubstring("unique constraint") && ContainsSubstring("one_u_key"));
  tx->execute("insert into t (what) values ('after')");
  CHECK(commit() == outcome::applied);
  CHECK(whats() == texts{"after"});
}

TEST_CASE_METHOD(fixture, "a handler's SQL can't begin, end or leave the transaction") {
  for (auto const* sql : {"begin",
                          "BEGIN",
                          "start transaction",
                          "commit",
                          "end",
                          "rollback",
                          "abort",
                          "/* a /* b */ */ commit",
                          "-- x\ncommit",
                          " ;commit",
                          "prepare transaction 'x'",
                          "savepoint sluice_record",
                          "release sluice_record",
                          "rollback to sluice_record",
                          "rollback and chain",
                          "set synchronous_commit to off",
                          "set local synchronous_commit = off",
                          "set transaction isolation level serializable",
                          "set session characteristics as transaction read only",
                          "reset all",
                          "discard all"})
    refused(sql);
  refused("do $$ begin commit; end $$");
  tx->execute("savepoint mine");
  tx->execute("insert into t (what) values (1)");
  tx->execute("rollback to mine");
  tx->execute("release mine");
  tx->execute("select set_config('synchronous_commit', 'off', false)");
  tx->execute("insert into t (what) values (2)");
  CHECK(commit() == outcome::applied);
  CHECK(whats() == texts{"2"});
  moves[0].from = moves[0].until;
  tx = &s->begin(moves, soon());
  CHECK((*tx->query("select current_setting('synchronous_commit')").begin()).get<std::string>(0) == "on");
}

TEST_CASE_METHOD(
    fixture, "a refused statement whose exception is not let pass: nothing is kept, and the next transaction is good") {
  tx->execute("insert into t (what) values (1)");
  CHECK(error_of([&] { tx->execute("nonsense"); }).code == sl::errc::bad_statement);
  auto const behind = error_of([&] { tx->execute("insert into t (what) values (2)"); });
  CHECK(behind.code == sl::errc::bad_statement);
  CHECK_FALSE(behind.of_store);
  CHECK_THAT(behind.text, ContainsSubstring("savepoint"));
  auto const at_the_end = error_of([&] { s->advance(*tx, moves, soon()); });
  CHECK(at_the_end.code == sl::errc::bad_statement);
  CHECK_FALSE(at_the_end.of_store);
  s->rollback(*tx);
  CHECK(whats().empty());
  tx = &s->begin(moves, soon());
  tx->execute("insert into t (what) values (3)");
  CHECK(commit() == outcome::applied);
}

TEST_CASE_METHOD(fixture, "a transaction that native_handle() has ended is not taken for committed") {
  PQclear(PQexec(tx->native_handle(), "commit"));
  CHECK(error_of([&] { tx->execute("insert into t (what) values (1)"); }).of_store);
  CHECK(error_of([&] { s->advance(*tx, moves, soon()); }).code == sl::errc::bad_statement);
  s->rollback(*tx);
  CHECK(look("select next from sluice_offsets") == texts{"10"});
}

TEST_CASE_METHOD(fixture, "a savepoint undoes one record's statements and no others, refused ones too") {
  savepoints(*this, [&] {
    CHECK(error_of([&] { tx->execute("nonsense"); }).code == sl::errc::bad_statement);
    return 0;
  });
}

TEST_CASE_METHOD(fixture, "what another changed meanwhile makes the batch run again") {
  tx->execute("create table counts (k int primary key, n int)");
  tx->execute("insert into counts values (1, 0)");
  CHECK(commit() == outcome::applied);
  moves[0].from = moves[0].until;
  moves[0].until = moves[0].until.next();
  tx = &s->begin(moves, soon());
  auto const n = (*tx->query("select n from counts").begin()).get<int>(0);
  look("update counts set n = n + 1");
  SECTION("at the statement") {
    bool conflict = false;
    try {
      tx->execute("update counts set n = $1", n + 1);
    } catch (sl::store_conflict const& e) { conflict = e.code() == sl::errc::conflict; }
    CHECK(conflict);
    s->rollback(*tx);
  }
  SECTION("at the advance: its position was claimed") {
    resolver none{{}};
    claim(*open(), "billing", {{"orders", 0}}, none);
    CHECK(copy(s->advance(*tx, moves, soon())) == all{outcome::refused});
    CHECK(s->commit(*tx, soon()) == outcome::refused);
  }
  SECTION("at the advance: something else about its position") {
    look("update sluice_offsets set leader_epoch = leader_epoch");
    CHECK(copy(s->advance(*tx, moves, soon())) == all{outcome::applied});
    CHECK(s->commit(*tx, soon()) == outcome::refused);
  }
  CHECK(look("select n from counts") == texts{"1"});
}

TEST_CASE_METHOD(fixture, "a constraint that is checked at the end commits nothing, and is told") {
  tx->execute("create table d (r int references t(id) deferrable initially deferred)");
  tx->execute("insert into d values (99)");
  CHECK(error_of([&] { commit(); }).code == sl::errc::bad_statement);
  CHECK(look("select next from sluice_offsets") == texts{"10"});
  tx = &s->begin(moves, soon());
  CHECK(commit() == outcome::applied);
}

TEST_CASE_METHOD(fixture, "a transaction that lay idle for too long is the store's failure, not the record's") {
  config.idle_in_transaction_timeout = 100ms;
  auto const quick = open();
  resolver r{{}};
  auto const c = claim(*quick, "billing", {{"orders", 0}}, r);
  auto& t = quick->begin({}, soon());
  t.execute("insert into t (what) values (1)");
  while (look("select 1 from pg_stat_activity where state = 'idle in transaction' and query like 'insert%'").size() > 0)
    std::this_thread::sleep_for(10ms);
  auto const e = error_of([&] { t.execute("insert into t (what) values (2)"); });
  CHECK(e.of_store);
  CHECK(e.code == sl::errc::store_unavailable);
  CHECK_THAT(e.text, ContainsSubstring("idle"));
  quick->rollback(t);
  CHECK(advance(*quick, {to(c[0], 12)}) == all{outcome::applied});
  CHECK(whats().empty());
}

TEST_CASE_METHOD(fixture, "a handler's COPY is refused at once, whichever way it goes") {
  for (auto const* sql : {"copy t to stdout", "copy t from stdin"}) {
    auto const begun = std::chrono::steady_clock::now();
    CHECK_THAT(error_of([&] { tx->execute(sql); }).text, ContainsSubstring("COPY"));
    CHECK(std::chrono::steady_clock::now() - begun < 5s);
    s->rollback(*tx);
    tx = &s->begin(moves, soon());
    CHECK_THAT(error_of([&] { tx->prepare(sql).execute(); }).text, ContainsSubstring("COPY"));
    s->rollback(*tx);
    tx = &s->begin(moves, soon());
  }
}
