#include <sluice/offset_store/mysql_transaction.hpp>

#include <array>
#include <limits>

#include "mysql_support.hpp"
#include "transaction_cases.hpp"

namespace {

using namespace transaction_cases;

struct fixture : open_transaction<mysql_fixture> {
  fixture() { look("create table t (id integer primary key auto_increment, what varchar(100)) engine = InnoDB"); }
  texts whats() { return look("select what from t order by id"); }
  void begin_again() {
    moves[0].from = moves[0].until;
    moves[0].until = moves[0].until.next();
    tx = &s->begin(moves, soon());
  }
  texts stands() { return look("select next from sluice_offsets"); }
};

}  // namespace

TEST_CASE_METHOD(fixture, "values come back as they were") {
  tx->execute(
      "create temporary table v (n bigint, u bigint unsigned, d double, f float, b boolean, t text character set "
      "utf8mb4,"
      " y blob, m decimal(20, 3), at datetime)");
  std::array const raw{std::byte{0}, std::byte{255}, std::byte{'\\'}};
  std::string const text = "na\xc3\xafve'\"\\; drop table t\t\n{}\xf0\x9f\x90\xb3";
  auto const most = std::numeric_limits<std::uint64_t>::max();
  tx->execute("insert into v values (?, ?, ?, ?, ?, ?, ?, ?, ?)", std::numeric_limits<std::int64_t>::min(), most, 0.1,
              0.25f, true, text, raw, 123456789, "2026-01-02 03:04:05");
  tx->execute("insert into v values (?, ?, ?, ?, ?, ?, ?, null, null)", nullptr, std::optional<int>{}, std::nullopt,
              std::optional{0.5f}, std::optional<bool>{}, std::string_view{}, sl::bytes{});
  tx->execute("insert into v (n, t, y) values (?, ?, ?)", offset{1234}, std::string{},
              sl::as_bytes(std::string_view{""}));
  tx->execute("insert into v (n, t) values (?, ?)", sl::wall_time{99ms}, text.c_str());
  tx->execute("insert into v (n, y) values (?, ?)", 1, sl::as_bytes(std::string_view{"a\0b", 3}));

  auto rows = tx->query("select * from v");
  REQUIRE(rows.size() == 5);
  auto at = rows.begin();
  {
    auto const r = *at++;
    CHECK(r.get<std::int64_t>(0) == std::numeric_limits<std::int64_t>::min());
    CHECK(r.get<std::uint64_t>(1) == most);
    CHECK(error_of([&] { (void)r.get<std::int64_t>(1); }).code == sl::errc::bad_statement);
    CHECK(r.get<double>(2) == 0.1);
    CHECK(r.get<float>(3) == 0.25f);
    CHECK(r.get<bool>(4));
    CHECK(r.get<std::string>(5) == text);
    CHECK(std::ranges::equal(r.get<sl::bytes>(6), raw));
    CHECK(r.get<std::string_view>(7) == "123456789.000");
    CHECK(r.get<double>(7) == 123456789);
    CHECK(r.get<std::string>(8) == "2026-01-02 03:04:05");
  }
  {
    auto const r = *at++;
    for (int const i : {0, 1, 2, 4, 5, 6, 7, 8}) CHECK_FALSE(r.get<std::optional<std::string>>(i));
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
  wrong_type([&] { (void)row.get<std::string>(0); });
  wrong_type([&] { (void)row.get<sl::bytes>(1); });
  wrong_type([&] { (void)row.get<unsigned>(4); });
}

TEST_CASE_METHOD(fixture, "execute answers how many rows changed; a query's rows may outlive the next one") {
  CHECK(tx->execute("insert into t (what) values ('a'), ('b'), ('c')") == 3);
  CHECK(tx->execute("update t set what = 'd' where id > ?", 1) == 2);
  CHECK(tx->execute("update t set what = 'd' where id > ?", 1) == 2);  // those that it found
  texts seen;
  for (auto row : tx->query("select id from t where id >= ? order by id", 2))
    for (auto inner : tx->query("select what from t where id = ?", row.get<int>(0)))
      seen.push_back(inner.get<std::string>(0));
  CHECK(seen == texts{"d", "d"});
  CHECK(tx->query("select 1 where false").empty());
  CHECK(commit() == outcome::applied);
  CHECK(whats() == texts{"a", "d", "d"});
}

TEST_CASE_METHOD(fixture, "statements stay prepared by their text, and are prepared again in another session") {
  auto const prepared = [&] {
    auto rows = tx->query("show session status like 'Com_stmt_prepare'");
    return std::stoi((*rows.begin()).get<std::string>(1));
  };
  auto insert = tx->prepare("insert into t (what) values (?)");
  CHECK(insert.execute(0) == 1);
  auto const before = prepared();
  for (int i = 0; i < 10; ++i) CHECK(insert.execute(i) == 1);
  tx->execute("insert into t (what) values (?)", "text");
  CHECK(prepared() == before);
  for (int i = 0; i < 100; ++i) tx->execute("do " + std::to_string(i));
  CHECK(insert.execute("last") == 1);
  CHECK(error_of([&] { tx->prepare("commit").execute(); }).code == sl::errc::bad_statement);
  CHECK(commit() == outcome::applied);
  CHECK(whats().size() == 13);
  restart();
  CHECK(advance(*s, {moves[0]}) == all{outcome::applied});
  begin_again();
  CHECK(tx->prepare("insert into t (what) values (?)").execute("again") == 1);
  CHECK(commit() == outcome::applied);
}

TEST_CASE_METHOD(fixture, "a statement that can't be run is the handler's fault, and its error holds no value") {
  std::string const canary = "CANARY";
  look(
      "create table one (n integer not null check (n < 10), u varchar(9) unique, r int, d datetime, foreign key (r)"
      " references t(id)) engine = InnoDB");
  look(
      "create table few (n int, e enum('a', 'b'), l varchar(9) character set latin1) engine = InnoDB partition by list "
      "(n)"
      " (partition p values in (1, 2)); create view ones as select * from few where n = 1 with check option");
  tx->execute("insert into one values (1, ?, null, null)", canary);
  std::vector<thrown> const all{
      refused("insert into"),
      refused("insert into nowhere values (?)", canary),
      refused(""),
      refused("-- nothing"),
      refused("select 1; select 2"),
      refused("select ?, ?", canary),
      refused("select 1", canary),
      refused("insert into one values (2, ?, null, null)", canary),
      refused("insert into one values (?, null, null, null)", canary),
      refused("insert into one values (?, null, null, null)", 11),
      refused("insert into one values (?, null, null, null)", nullptr),
      refused("insert into one values (3, null, 99, null)"),
      refused("insert into one values (3, 'CANARY is too long', null, null)"),
      refused("insert into one values (3, null, null, ?)", canary),
      refused("insert into one (n) values (?)", std::numeric_limits<std::uint64_t>::max()),
      refused("insert into t (what) values (?)", "CANARY\xff"),
      refused("insert into nowhere values ('CANARY')"),
      refused("select syntax 'CANARY' error 'CANARY'"),
      refused("select `no such column` from t"),
      refused("update one set n = 1 / ? where n = 1", 0),
      refused("call nowhere()"),
      refused("insert into few values (?, null, null)", "1CANARY"),
      refused("insert into few values (1, ?, null)", canary),
      refused("insert into few values (3, null, null)"),
      refused("insert into ones values (2, null, null)"),
      refused("select * from few where l = _utf8mb4'\u0416CANARY'"),
      refused("insert into t (what) values (?)", std::string(17 << 20, 'x')),
  };
  CHECK_THAT(all[1].text, ContainsSubstring("insert into nowhere") && ContainsSubstring("doesn't exist"));
  CHECK_THAT(all[7].text, ContainsSubstring("duplicate entry") && ContainsSubstring("'u'"));
  CHECK_THAT(all[9].text, ContainsSubstring("CONSTRAINT"));
  CHECK_THAT(all.back().text, ContainsSubstring("max_allowed_packet"));
  tx->execute("insert into t (what) values ('after')");
  CHECK(commit() == outcome::applied);
  CHECK(whats() == texts{"after"});
}

TEST_CASE_METHOD(fixture, "a handler's SQL can't begin, end or leave the transaction") {
  tx->execute("insert into t (what) values ('first')");
  for (auto const* sql : {"begin",
                          "BEGIN",
                          "begin not atomic commit; end",
                          "start transaction",
                          "commit",
                          "rollback",
                          "/* a */ commit",
                          "/*! commit */",
                          "/*M! commit */",
                          "select 1 /*! into outfile 'x' */",
                          "-- x\ncommit",
                          "# x\ncommit",
                          " ;commit",
                          "(commit)",
                          "xa start 'x'",
                          "savepoint sluice_record",
                          "release savepoint sluice_begin",
                          "rollback to sluice_record",
                          "rollback and chain",
                          "rollback work",
                          "set autocommit = 0",
                          "set sql_mode = ''",
                          "set @@sql_mode = ''",
                          "set @a = 1, @@autocommit = 0",
                          "set transaction isolation level serializable",
                          "set statement max_statement_time = 1 for create table x (n int)",
                          "set session innodb_lock_wait_timeout = 1",
                          "create table x (n int)",
                          "create or replace table t (n int)",
                          "drop table t",
                          "alter table t add x int",
                          "truncate table t",
                          "rename table t to x",
                          "create index i on t (what)",
                          "lock tables t write",
                          "unlock tables",
                          "analyze table t",
                          "optimize table t",
                          "flush tables",
                          "use mysql",
                          "execute immediate 'commit'",
                          "prepare p from 'commit'",
                          "grant select on t to owner",
                          "load data local infile '/etc/passwd' into table t",
                          "kill 1"})
    refused(sql);
  for (auto const* sql : {"savepoint mine", "insert into t (what) values ('undone')", "rollback to mine",
                          "release savepoint mine", "set @mine = 5", "with x as (select 1) select * from x",
                          "(select 1) union (select 2)", "do sleep(0)", "replace into t values (77, 'replaced')",
                          "create temporary table x (n int)", "drop temporary table x", "explain select 1"})
    tx->execute(sql);
  tx->execute("insert into t (what) values (@mine)");
  CHECK(commit() == outcome::applied);
  CHECK(whats() == texts{"first", "replaced", "5"});
}

TEST_CASE_METHOD(fixture, "a procedure that ends the transaction is told, and no offset is stored") {
  look(
      "create procedure commits() begin commit; end; create procedure begins() begin commit; start transaction; end;"
      " create procedure makes() create table made (n int); create procedure fails() begin commit; signal sqlstate"
      " '45000'; end; create procedure good(n int) begin insert into t (what) values (n); select n + 1; select 2; end");
  SECTION("one that is good") {
    CHECK((*tx->query("call good(?)", 7).begin()).get<int>(0) == 8);
    CHECK(commit() == outcome::applied);
    CHECK(whats() == texts{"7"});
    return;
  }
  tx->execute("insert into t (what) values ('before')");
  auto const ended = [&](thrown const& e) {
    CHECK(e.code == sl::errc::bad_statement);
    CHECK(e.of_store);
    CHECK_THAT(e.text, ContainsSubstring("has ended the transaction"));
  };
  SECTION("by a commit") {
    ended(error_of([&] { tx->execute("call commits()"); }));
    CHECK(error_of([&] { tx->execute("insert into t (what) values ('behind')"); }).of_store);
    CHECK(error_of([&] { s->advance(*tx, moves, soon()); }).of_store);
  }
  SECTION("by DDL") {
    ended(error_of([&] { tx->execute("call makes()"); }));
  }
  SECTION("and begins another") {
    tx->execute("call begins()");
    ended(error_of([&] { s->advance(*tx, moves, soon()); }));
  }
  SECTION("and fails, and its exception is not let pass") {
    CHECK(error_of([&] { tx->execute("call fails()"); }).code == sl::errc::bad_statement);
    ended(error_of([&] { s->advance(*tx, moves, soon()); }));
  }
  SECTION("behind the advance, by native_handle()") {
    s->advance(*tx, moves, soon());
    mysql_query(tx->native_handle(), "rollback; start transaction");
    while (mysql_next_result(tx->native_handle()) == 0) {}
    ended(error_of([&] { (void)s->commit(*tx, soon()); }));
  }
  s->rollback(*tx);
  CHECK(stands() == texts{"10"});
  tx = &s->begin(moves, soon());
  CHECK(commit() == outcome::applied);
}

TEST_CASE_METHOD(fixture, "a refused statement is undone alone, and what is left of the transaction is good") {
  tx->execute("insert into t (what) values (1)");
  CHECK(error_of([&] { tx->execute("insert into t values (5, 'x'), (5, 'y')"); }).code == sl::errc::bad_statement);
  tx->execute("insert into t (what) values (2)");
  CHECK(commit() == outcome::applied);
  CHECK(whats() == texts{"1", "2"});
}

TEST_CASE_METHOD(fixture, "a savepoint undoes one record's statements and no others, refused ones too") {
  savepoints(*this, [&] {
    CHECK(error_of([&] { tx->execute("select nonsense"); }).code == sl::errc::bad_statement);
    return 0;
  });
}

TEST_CASE_METHOD(fixture, "many rows at once: upsert writes the last of each key") {
  look(
      "create table `Many` (id int, `order` varchar(200), raw blob, at datetime, primary key (id, at)) engine = InnoDB"
      " character set utf8mb4; insert into `Many` values (1, 'old', null, '2026-01-01')");
  std::vector<int> numbers;
  for (int i = 0; i < 45'000; ++i) numbers.push_back(i % 30'000);
  int n = 0;
  auto const row = [&](int i) {
    auto const name = i == 7 ? std::optional<std::string>{} : "a'\"\\{},\n" + std::to_string(n);
    ++n;
    return std::tuple{i, "2026-01-01", name, std::optional<sl::bytes>{sl::as_bytes(std::string_view{"\0\\x", 3})}};
  };
  sl::mysql_columns const into{.table = database + ".Many", .key = {"id", "at"}, .columns = {"order", "raw"}};
  CHECK(tx->upsert(into, numbers, row) == 45'000);
  auto const bad = [](auto call) {
    auto const e = error_of(call);
    CHECK(e.code == sl::errc::bad_statement);
    CHECK_FALSE(e.of_store);
    CHECK_THAT(e.text, !ContainsSubstring("CANARY"));
    return e.text;
  };
  auto const one_number = [](int i) { return std::tuple{i}; };
  bad([&] { tx->upsert(into, std::vector{1}, one_number); });
  bad([&] { tx->upsert({.table = "nowhere", .key = {"id"}}, std::vector{1}, one_number); });
  bad([&] { tx->upsert({.table = "t", .key = {"what"}}, std::vector{1}, one_number); });
  bad([&] {
    tx->upsert({.table = "Many", .key = {"id", "at"}}, std::vector{1}, [](int) { return std::tuple{"CANARY", "x"}; });
  });
  CHECK(commit() == outcome::applied);
  CHECK(look("select count(*), count(`order`) from `Many`") == texts{"30000|29999"});
  CHECK(look("select `order`, hex(raw) from `Many` where id = 1") == texts{"a'\"\\{},\n30001|005C78"});
  CHECK(look("select `order` from `Many` where id = 29999") == texts{"a'\"\\{},\n29999"});
}

TEST_CASE_METHOD(fixture, "many rows at once: append writes them as they are, or none of a call's last statement") {
  look("create table raws (n int, t varchar(20) character set utf8mb4, y blob, d double) engine = InnoDB");
  std::vector<std::optional<std::string>> const given{"a\tb\nc\r\\d", "", std::nullopt, "\\N", "na\xc3\xafve", "\\."};
  int n = 0;
  auto const row = [&](auto const& t) {
    auto const b = t ? sl::as_bytes(*t) : sl::bytes{};
    return std::tuple{n++, t, t && t->empty() ? sl::as_bytes(std::string_view{""}) : b, 0.1};
  };
  CHECK(tx->append({.table = "raws", .columns = {"n", "t", "y", "d"}}, given, row) == 6);
  SECTION("committed") {
    std::vector<std::optional<std::string>> back;
    for (auto r : tx->query("select t, y, d from raws order by n")) {
      back.push_back(r.get<std::optional<std::string>>(0));
      CHECK(r.get<std::optional<std::string>>(1) == back.back());
      CHECK(r.get<double>(2) == 0.1);
    }
    CHECK(back == given);
    CHECK(commit() == outcome::applied);
    CHECK(look("select count(*) from raws") == texts{"6"});
  }
  SECTION("a row that can't be taken, whose exception is not let pass") {
    auto const e = error_of([&] {
      tx->append({.table = "raws", .columns = {"n"}}, std::vector<std::string>{"1", "2", "CANARY", "3"},
                 [](std::string const& t) { return std::tuple{t}; });
    });
    CHECK(e.code == sl::errc::bad_statement);
    CHECK(commit() == outcome::applied);
    CHECK(look("select count(*) from raws") == texts{"6"});
  }
  SECTION("a row that can't be taken is the record's fault, and a savepoint undoes it") {
    tx->savepoint();
    auto const e = error_of([&] {
      tx->append({.table = "raws", .columns = {"n"}}, std::vector<std::string>{"1", "CANARY", "2"},
                 [](std::string const& t) { return std::tuple{t}; });
    });
    CHECK(e.code == sl::errc::bad_statement);
    CHECK_THAT(e.text, !ContainsSubstring("CANARY"));
    tx->rollback_to_savepoint();
    CHECK_THROWS_WITH(tx->append({.table = "raws", .columns = {"n"}}, std::vector{1, 2},
                                 [](int) -> std::tuple<int> { throw std::runtime_error("mine"); }),
                      "mine");
    CHECK(commit() == outcome::applied);
    CHECK(look("select count(*) from raws") == texts{"6"});
  }
}

TEST_CASE_METHOD(fixture, "a table that is not InnoDB's takes no rows of many; one that was written is told of") {
  look("create table old (n int primary key) engine = MyISAM");
  auto const e = error_of(
      [&] { tx->append({.table = "old", .columns = {"n"}}, std::vector{1}, [](int i) { return std::tuple{i}; }); });
  CHECK(e.code == sl::errc::bad_statement);
  CHECK_THAT(e.text, ContainsSubstring("MyISAM") && ContainsSubstring("engine = InnoDB"));
  auto const second = open();
  auto& t = second->begin({}, soon());
  t.execute("insert into old values (1)");
  second->rollback(t);
  CHECK_THAT(*told, ContainsSubstring("not InnoDB's"));
}

TEST_CASE_METHOD(fixture, "what another changed meanwhile makes the batch run again") {
  look("create table counts (k int primary key, n int) engine = InnoDB; insert into counts values (1, 0)");
  auto const n = (*tx->query("select n from counts").begin()).get<int>(0);
  look("update counts set n = n + 1");
  auto const meets_a_conflict = [&](auto const&... statement) {
    try {
      tx->execute(statement...);
      return false;
    } catch (sl::store_conflict const& e) { return e.code() == sl::errc::conflict; }
  };
  SECTION("at the statement") {
    CHECK(meets_a_conflict("update counts set n = ?", n + 1));
    CHECK(error_of([&] { tx->execute("insert into t (what) values (1)"); }).of_store);
    s->rollback(*tx);
  }
  SECTION("at the statement: its table was altered") {
    look("alter table t engine = InnoDB, add column more int");
    CHECK(meets_a_conflict(GENERATE("select * from t", "insert into counts select 2, count(*) from t")));
    s->rollback(*tx);
  }
  SECTION("at the advance: its position was claimed") {
    resolver none{{}};
    claim(*open(), "billing", {{"orders", 0}}, none);
    CHECK(copy(s->advance(*tx, moves, soon())) == all{outcome::refused});
    CHECK(s->commit(*tx, soon()) == outcome::refused);
  }
  SECTION("at the advance: something else about its position") {
    look("update sluice_offsets set leader_epoch = leader_epoch + 1");
    CHECK(copy(s->advance(*tx, moves, soon())) == all{outcome::applied});
    CHECK(s->commit(*tx, soon()) == outcome::refused);
  }
  CHECK(look("select n from counts") == texts{"1"});
  CHECK(whats().empty());
  CHECK(*told == "");  // all of it was undone
}

TEST_CASE_METHOD(fixture, "a deadlock and a lock that is not to be had make the batch run again") {
  look("insert into t values (1, 'a'), (2, 'b')");
  config.lock_timeout = std::chrono::seconds{1};
  s->rollback(*tx);
  auto const impatient = open();
  auto& t = impatient->begin({}, soon());
  plain_session other{database};
  other.rows("start transaction; update t set what = 'x' where id = 2");
  SECTION("a lock") {
    auto const e = error_of([&] { t.execute("update t set what = 'y' where id = 2"); });
    CHECK(e.of_store);
    CHECK_THAT(e.text, ContainsSubstring("another session holds the lock"));
  }
  SECTION("a deadlock") {
    t.execute("update t set what = 'y' where id = 1");
    std::thread waiting{[&] { other.rows("update t set what = 'x' where id = 1"); }};
    wait_for_lock_wait();
    bool conflict = false;
    try {
      for (;;) t.execute("update t set what = 'y' where id = 2");
    } catch (sl::store_conflict const&) { conflict = true; }
    waiting.join();
    CHECK(conflict);
  }
  other.rows("rollback");
  impatient->rollback(t);
  CHECK(*told == "");  // all of it was undone
  auto& again = impatient->begin({}, soon());
  CHECK(again.execute("update t set what = 'z'") == 2);
  impatient->rollback(again);
}

TEST_CASE_METHOD(fixture, "a transaction that lay idle for too long is the store's failure, not the record's") {
  config.idle_transaction_timeout = std::chrono::seconds{1};
  auto const quick = open();
  resolver r{{}};
  auto const c = claim(*quick, "billing", {{"orders", 0}}, r);
  auto& t = quick->begin({}, soon());
  t.execute("insert into t (what) values (1)");
  auto rows = t.query("select connection_id()");
  auto const session = std::to_string((*rows.begin()).get<std::int64_t>(0));
  while (!look("select 1 from information_schema.processlist where id = " + session).empty())
    std::this_thread::sleep_for(10ms);
  auto const e = error_of([&] { t.execute("insert into t (what) values (2)"); });
  CHECK(e.of_store);
  CHECK(e.code == sl::errc::store_unavailable);
  quick->rollback(t);
  CHECK(advance(*quick, {to(c[0], 12)}) == all{outcome::applied});
  CHECK(whats().empty());
}
