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

TEST_CASE_METHOD(fixture, "values come back as they were") {
  tx->execute(
      "create temp table v (n bigint, small smallint, d double precision, f real, b boolean, t text, y bytea,"
      " m numeric, at timestamptz)");
  std::array const raw{std::byte{0}, std::byte{255}, std::byte{'\\'}};
  std::string const text = "na\xc3\xafve'\"\\; drop table t\t\n{}";
  tx->execute("insert into v values ($1, $2, $3, $4, $5, $6, $7, $8, $9)", std::numeric_limits<std::int64_t>::min(),
              std::uint8_t{200}, 0.1, 0.25f, true, text, raw, 123456789, "2026-01-02 03:04:05+00");
  tx->execute("insert into v values ($1, $2, $3, $4, $5, $6, $7)", nullptr, std::optional<int>{}, std::nullopt,
              std::optional{0.5f}, std::optional<bool>{}, std::string_view{}, sl::bytes{});
  tx->execute("insert into v (n, t, y) values ($1, $2, $3)", offset{1234}, std::string{},
              sl::as_bytes(std::string_view{""}));
  tx->execute("insert into v (n, t) values ($1, $2)", sl::wall_time{99ms}, text.c_str());
  tx->execute("insert into v (n, y) values ($1, $2)", 1, sl::as_bytes(std::string_view{"a\0b", 3}));

  auto rows = tx->query("select * from v");
  REQUIRE(rows.size() == 5);
  auto at = rows.begin();
  {
    auto const r = *at++;
    CHECK(r.get<std::int64_t>(0) == std::numeric_limits<std::int64_t>::min());
    CHECK(r.get<unsigned>(1) == 200);
    CHECK(r.get<double>(2) == 0.1);
    CHECK(r.get<float>(3) == 0.25f);
    CHECK(r.get<bool>(4));
    CHECK(r.get<std::string>(5) == text);
    CHECK(std::ranges::equal(r.get<sl::bytes>(6), raw));
    CHECK(r.get<std::string_view>(7) == "123456789");
    CHECK(r.get<int>(7) == 123456789);
    CHECK(r.get<std::string>(8).starts_with("2026-01-02"));
  }
  {
    auto const r = *at++;
    for (int const i : {0, 1, 2, 4, 5, 6}) CHECK_FALSE(r.get<std::optional<std::string>>(i));
    CHECK(r.get<std::optional<float>>(3) == 0.5f);
  }
  {
    auto const r = *at++;
    CHECK(r.get<offset>(0) == offset{1234});
    CHECK(r.get<std::optional<std::string>>(5) == "");
    CHECK(r.get<std::optional<sl::bytes>>(6)->empty());
  }
  CHECK((*at).get<int>(0) == 99);
  CHECK((*at++).get<std::string>(5) == text);
  CHECK(sl::as_text((*at++).get<sl::bytes>(6)) == std::string_view("a\0b", 3));
  CHECK(at == rows.end());
}

TEST_CASE_METHOD(fixture, "a column of another type is refused, not converted") {
  auto answer = tx->query("select 300, 'CANARY', null, 1.5, -1");
  auto const row = *answer.begin();
  columns_are_not_converted(row, 5);
  wrong_type([&] { (void)row.get<bool>(0); });
  wrong_type([&] { (void)row.get<sl::bytes>(1); });
  wrong_type([&] { (void)row.get<unsigned>(4); });
}

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

TEST_CASE_METHOD(fixture, "many rows at once: upsert writes the last of each key") {
  tx->execute("create table \"Many\" (id int, \"Name\" text, raw bytea, at timestamptz, primary key (id, at))");
  tx->execute("insert into \"Many\" values (1, 'old', null, '2026-01-01')");
  std::vector<int> numbers;
  for (int i = 0; i < 45'000; ++i) numbers.push_back(i % 30'000);
  int n = 0;
  auto const row = [&](int i) {
    auto const name = i == 7 ? std::optional<std::string>{} : "a'\"\\{},\n" + std::to_string(n);
    ++n;
    return std::tuple{i, name, std::optional<sl::bytes>{sl::as_bytes(std::string_view{"\0\\x", 3})}, "2026-01-01"};
  };
  sl::postgres_columns const into{.table = schema + ".Many", .key = {"id", "at"}, .columns = {"Name", "raw"}};
  auto const ordered = [&](int i) {
    auto const [id, name, raw, at] = row(i);
    return std::tuple{id, at, name, raw};
  };
  CHECK(tx->upsert(into, numbers, ordered) > 30'000);
  CHECK(error_of([&] { tx->upsert(into, std::vector{1}, [](int i) { return std::tuple{i}; }); }).code ==
        sl::errc::bad_statement);
  CHECK(error_of([&] {
          tx->upsert({.table = "nowhere", .key = {"id"}}, std::vector{1}, [](int i) { return std::tuple{i}; });
        }).code == sl::errc::bad_statement);
  CHECK(commit() == outcome::applied);
  CHECK(look("select count(*), count(\"Name\") from \"Many\"") == texts{"30000|29999"});
  CHECK(look("select \"Name\", raw from \"Many\" where id = 1") == texts{"a'\"\\{},\n30001|\\x005c78"});
  CHECK(look("select \"Name\" from \"Many\" where id = 29999") == texts{"a'\"\\{},\n29999"});
}

TEST_CASE_METHOD(fixture, "many rows at once: append copies them as they are") {
  std::vector<std::optional<std::string>> const given{"a\tb\nc\r\\d", "", std::nullopt, "\\N", "na\xc3\xafve", "\\."};
  tx->execute("create table raws (n int, t text, y bytea)");
  int n = 0;
  auto const row = [&](auto const& t) {
    auto const b = t ? sl::as_bytes(*t) : sl::bytes{};
    return std::tuple{n++, t, t && t->empty() ? sl::as_bytes(std::string_view{""}) : b};
  };
  CHECK(tx->append({.table = "raws", .columns = {"n", "t", "y"}}, given, row) == 6);
  std::vector<int> many(30'000, 5);
  CHECK(tx->append({.table = "t", .columns = {"what"}}, many, [](int i) { return std::tuple{i}; }) == 30'000);
  SECTION("committed") {
    std::vector<std::optional<std::string>> back;
    for (auto r : tx->query("select t, y from raws order by n")) {
      back.push_back(r.get<std::optional<std::string>>(0));
      auto const y = r.get<std::optional<std::string>>(1);
      CHECK(y == back.back());
    }
    CHECK(back == given);
    CHECK(commit() == outcome::applied);
    CHECK(look("select count(*) from t") == texts{"30000"});
  }
  SECTION("a row that can't be taken is the record's fault, and a savepoint undoes it") {
    tx->savepoint();
    auto const e = error_of([&] {
      tx->append({.table = "raws", .columns = {"n"}}, std::vector<std::string>{"1", "CANARY"},
                 [](std::string const& t) { return std::tuple{t}; });
    });
    CHECK(e.code == sl::errc::bad_statement);
    CHECK_THAT(e.text, !ContainsSubstring("CANARY"));
    tx->rollback_to_savepoint();
    tx->savepoint();
    CHECK_THROWS_WITH(tx->append({.table = "raws", .columns = {"n"}}, many,
                                 [](int) -> std::tuple<int> { throw std::runtime_error("mine"); }),
                      "mine");
    tx->rollback_to_savepoint();
    CHECK(error_of([&] {
            tx->append({.table = "nowhere", .columns = {"n"}}, many, [](int i) { return std::tuple{i}; });
          }).code == sl::errc::bad_statement);
    s->rollback(*tx);
    CHECK(whats().empty());
  }
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

TEST_CASE_METHOD(fixture, "upsert does not cut a value that is too long for its column") {
  tx->execute("create domain short as varchar(5)");
  tx->execute("create table narrow (id varchar(5) primary key, code char(3), also short)");
  using row = std::tuple<std::string, std::string, std::string>;
  auto const put = [&](row const& r) {
    tx->upsert({.table = "narrow", .key = {"id"}, .columns = {"code", "also"}}, std::vector{r},
               [](row const& all) { return all; });
  };
  put({"abc", "x", "y"});
  tx->execute("savepoint here");
  for (auto const& bad : {row{"order-1", "x", "y"}, row{"abc", "long", "y"}, row{"abc", "x", "longer"}}) {
    CHECK(error_of([&] { put(bad); }).code == sl::errc::bad_statement);
    tx->execute("rollback to here");
  }
}
