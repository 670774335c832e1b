#include <sluice/offset_store/postgres.hpp>

#include "contract_network.hpp"
#include "postgres_support.hpp"
#include "servers/other_server.hpp"
#include "sql_server_cases.hpp"

namespace {

using Catch::Matchers::ContainsSubstring;
using namespace contract;
using sql_server_cases::refused;
using fixture = postgres_fixture;

}  // namespace

TEST_CASE("postgres_offsets keeps the contract of stores") { contract::holds<fixture>(); }

TEST_CASE("postgres_offsets keeps the contract of stores behind a network") { contract::holds_over_network<fixture>(); }

TEST_CASE("what the configuration can't be is told with its key and a remedy") {
  fixture f;
  auto const config = f.config;
  for (auto const* name : {"", "a b", "1a", "a;b", "a\"b", "caf\xc3\xa9"}) {
    f.config.table = name;
    CHECK(refused(f).code == sl::errc::bad_configuration);
    CHECK_THAT(refused(f).text, ContainsSubstring("postgres_offsets.table"));
  }
  f.config.table = std::string(55, 'a');
  CHECK(refused(f).code == sl::errc::bad_configuration);
  for (auto const& name : {std::string(54, 'a'), std::string("order"), std::string("Order")}) {
    f.config.table = name;
    CHECK(refused(f).text == "");
    CHECK(f.look("select 1 from \"" + name + "\"").empty());
  }
  for (auto const* connection :
       {"CANARY", "host=CANARY =", "password='CANARY", "postgres://owner:CAN@ARY@127.0.0.1/postgres",
        "postgres://owner:CAN/ARY@127.0.0.1/postgres", "postgres://owner:CANARY?@127.0.0.1/postgres",
        "postgres://owner:CAN#ARY", "host=127.0.0.1 port=CANARY"}) {
    f.config = config;
    f.config.connection = connection;
    INFO(connection);
    CHECK(refused(f).code == sl::errc::bad_configuration);
    CHECK_THAT(refused(f).text, ContainsSubstring("postgres_offsets.connection"));
  }
  f.config = config;
  f.config.lock_timeout = 0ms;
  CHECK(refused(f).code == sl::errc::bad_configuration);
}

TEST_CASE("a server that can't be had is told with its place") {
  fixture f;
  auto const told = [&](std::string const& part) {
    auto const begun = std::chrono::steady_clock::now();
    auto const e = refused(f);
    CHECK(std::chrono::steady_clock::now() - begun < 4s);
    CHECK(e.code == sl::errc::store_unavailable);
    CHECK(e.of_store);
    CHECK_THAT(e.text, ContainsSubstring("postgres_offsets") && ContainsSubstring(part) &&
                           ContainsSubstring("check .connection"));
  };
  auto const at = [&](int port) { f.config.connection = f.here(port); };
  f.config.connect_timeout = 500ms;
  SECTION("nobody listens") {
    auto const port = servers::free_port();
    at(port);
    told("127.0.0.1:" + std::to_string(port));
  }
  SECTION("another kind of server") {
    servers::other_server const http{[](auto const&) { return "HTTP/1.1 400 Bad Request\r\n\r\n"; }};
    at(http.port());
    told("127.0.0.1:" + std::to_string(http.port()));
  }
  SECTION("a server that never says a word") {
    servers::other_server const silent{[](auto const&) { return ""; }};
    at(silent.port());
    told("no answer in time");
  }
  SECTION("a wrong password") {
    f.config.connection =
        "host=127.0.0.1 user=owner dbname=postgres password=CANARYwrong port=" + std::to_string(f.port());
    told("password authentication failed");
    f.config.connection = "postgresql://owner:CANARYwrong@127.0.0.1:" + std::to_string(f.port()) + "/postgres";
    told("password authentication failed");
  }
  SECTION("no such database") {
    f.config.connection += " dbname=nowhere";
    told("nowhere");
  }
}

TEST_CASE("a session that could not keep a promise is refused") {
  fixture f;
  SECTION("read-only") {
    f.config.connection =
        server().connection() + " options='-c default_transaction_read_only=on -c search_path=" + f.schema + "'";
    auto const e = refused(f);
    CHECK(e.code == sl::errc::store_unavailable);
    CHECK_THAT(e.text, ContainsSubstring("read-only") && ContainsSubstring("target_session_attrs"));
  }
  SECTION("fsync is off") {
    struct off {
      static void set(char const* to, std::string const& seen) {
        plain_session s{server().connection()};
        s.rows(std::string("alter system set fsync = ") + to);
        s.rows("select pg_reload_conf()");
        while (plain_session{server().connection()}.rows("show fsync")[0] != seen) std::this_thread::sleep_for(5ms);
      }
      off() { set("off", "off"); }
      ~off() { set("default", "on"); }
    } const now;
    auto const e = refused(f);
    CHECK(e.code == sl::errc::store_unavailable);
    CHECK_THAT(e.text, ContainsSubstring("fsync is off") && ContainsSubstring("assume_durable"));
    f.config.assume_durable = true;
    CHECK(refused(f).text == "");
  }
}

TEST_CASE("each session commits durably and has time-outs, whatever the role's defaults are") {
  fixture f;
  f.config.connection = server().connection() +
                        " options='-c synchronous_commit=off -c lock_timeout=0 -c search_path=" + f.schema +
                        " -c default_transaction_isolation=serializable'";
  fixture::store s{sl::postgres_offsets::open(f.config, {})};
  auto& tx = s.begin({}, soon());
  auto const is = [&](std::string const& name) {
    return (*tx.query("select current_setting($1)", name).begin()).get<std::string>(0);
  };
  CHECK(is("synchronous_commit") == "on");
  CHECK(is("statement_timeout") == "30s");
  CHECK(is("lock_timeout") == "5s");
  CHECK(is("idle_in_transaction_session_timeout") == "2s");
  CHECK(is("transaction_isolation") == "repeatable read");
  CHECK(is("default_transaction_isolation") == "read committed");
}

TEST_CASE("a role without rights is told what it lacks") {
  fixture f;
  f.look("create role r" + f.schema + " login password '" + server().password() + "'");
  f.look("grant usage on schema " + f.schema + " to r" + f.schema);
  f.config.connection = f.here() + " user=r" + f.schema;
  auto e = refused(f);
  CHECK(e.code == sl::errc::bad_configuration);
  CHECK_THAT(e.text, ContainsSubstring("may not create the table sluice_offsets") &&
                         ContainsSubstring("create table if not exists \"sluice_offsets\""));
  f.config.create = false;
  e = refused(f);
  CHECK(e.code == sl::errc::bad_configuration);
  auto const ddl = e.text.substr(e.text.find("create table"));
  f.look(ddl);  // as whoever may does
  e = refused(f);
  CHECK(e.code == sl::errc::store_unavailable);  // the format can't be read
  CHECK_THAT(e.text, ContainsSubstring("grant"));
  f.look("grant select on all tables in schema " + f.schema + " to r" + f.schema);
  e = refused(f);
  CHECK(e.code == sl::errc::bad_configuration);
  CHECK_THAT(e.text, ContainsSubstring("grant select, insert, update on"));
  f.look("grant insert, update on all tables in schema " + f.schema + " to r" + f.schema);
  fixture::store s{sl::postgres_offsets::open(f.config, {})};
  auto r = orders();
  CHECK(claim(s, "billing", partitions("orders", {0}), r)[0].what == sl::claimed::first);
}

TEST_CASE("without create nothing is created, and the error says what to run") {
  fixture f;
  f.config.create = false;
  auto const e = refused(f);
  CHECK(e.code == sl::errc::bad_configuration);
  CHECK(f.look("select tablename from pg_tables where schemaname = '" + f.schema + "'").empty());
  f.look(e.text.substr(e.text.find("create table")));
  auto const s = f.open();
  auto r = orders();
  CHECK(claim(*s, "billing", partitions("orders", {0}), r)[0].what == sl::claimed::first);
  auto const letters = error_of([&] { s->prepare_table("dead"); });
  CHECK(letters.code == sl::errc::bad_configuration);
  CHECK_THAT(letters.text, ContainsSubstring("create table if not exists \"dead\""));
}

TEST_CASE("a table that is somebody else's is left alone") {
  fixture f;
  SECTION("of another shape") {
    f.open();
    f.look("alter table sluice_offsets alter next type text");
    auto e = refused(f);
    CHECK(e.code == sl::errc::bad_configuration);
    CHECK_THAT(e.text, ContainsSubstring("another type in the column next"));
    f.look("alter table sluice_offsets drop next");
    e = refused(f);
    CHECK(e.code == sl::errc::bad_configuration);
    CHECK_THAT(e.text, ContainsSubstring("sluice_offsets"));
  }
}

TEST_CASE("another that makes the tables between any two looks at them disturbs nobody") {
  servers::proxy between{server().port()};
  std::atomic<bool> called{true};
  for (unsigned after = 0; called; ++after) {
    fixture f;
    called = false;
    between.before(after, [&] {
      called = true;
      f.open();
    });
    CAPTURE(after);
    auto mine = f.config;
    mine.connection = f.here(between.port());
    CHECK(error_of([&] { fixture::store const s{sl::postgres_offsets::open(mine, {})}; }).text == "");
  }
}

TEST_CASE("a table whose rows another transaction holds makes a claim answer busy, in time") {
  fixture f;
  f.config.lock_timeout = 100ms;
  auto [r, set, s, c] = claim_orders(f);
  plain_session other{f.here()};
  other.rows("begin");
  other.rows("select * from sluice_offsets for update");
  auto const begun = std::chrono::steady_clock::now();
  auto const busy = s->claim("billing", set, r, soon());
  CHECK(busy[1].what == sl::claimed::busy);
  CHECK(busy[1].of == set[1]);
  CHECK_THAT(busy[1].why, ContainsSubstring("another session holds the lock"));
  auto const e = error_of([&] { s->advance(std::vector{to(c[0], 15)}, soon()); });
  CHECK(e.code == sl::errc::store_unavailable);
  CHECK(e.of_store);
  CHECK(std::chrono::steady_clock::now() - begun < 3s);
  other.rows("rollback");
  CHECK(advance(*s, {to(c[0], 15)}) == all{outcome::applied});
}

TEST_CASE("an advance that the server ends, to end a deadlock, is tried again") {
  fixture f;
  auto r = orders();
  auto const s = f.open();
  auto const moves = to_all(claim(*s, "billing", partitions("orders", {0, 1}), r), 1);
  plain_session other{f.here()};
  auto const lock = [&](int n) {
    other.rows("select 1 from sluice_offsets where partition = " + std::to_string(n) + " for update");
  };
  other.rows("set deadlock_timeout = '60s'");  // so that it is not the one that is ended
  other.rows("begin");
  lock(1);
  sql_server_cases::advance_in_a_deadlock(
      *s, moves,
      [&] {
        plain_session watching{f.here()};
        while (watching.rows("select 1 from pg_locks where not granted").empty()) std::this_thread::yield();
      },
      [&] { lock(0); }, [&] { other.rows("rollback"); });
}

TEST_CASE("settle gives no final answer while a session is there that may yet commit") {
  fixture f;
  f.config.lock_timeout = 100ms;
  auto r = orders();
  auto const set = partitions("orders", {0, 1});
  auto const s = f.open();
  auto const moves = to_all(claim(*s, "billing", set, r), 5);
  auto& tx = s->begin(moves, soon());
  f.write(tx, "a");
  auto rows = tx.query("select pg_backend_pid()");
  auto const pid = (*rows.begin()).get<pid_t>(0);
  s->advance(tx, moves, soon());
  struct stopped {
    pid_t pid;
    explicit stopped(pid_t p) : pid(p) { ::kill(pid, SIGSTOP); }
    ~stopped() { ::kill(pid, SIGCONT); }
  };
  all answers(2, outcome::unknown);
  {
    stopped const now{pid};
    CHECK(s->commit(tx, in(200ms)) == outcome::unknown);
    CHECK(copy(s->settle(moves, in(1s))) == answers);
  }
  settle(*s, moves, answers);
  CHECK(answers[0] == answers[1]);
  CHECK(f.results().size() == (answers[0] == outcome::applied ? 1 : 0));
  CHECK(stands_at(f, set) == ends(moves, answers));
}

TEST_CASE("postgres_offsets does what SQL stores must do") { sql_cases::hold<fixture>(); }

TEST_CASE("postgres_offsets does what stores in SQL servers must do") { sql_server_cases::hold<fixture>(); }

TEST_CASE("the tables are found again whatever the search path becomes") {
  fixture f;
  auto [r, set, s, c] = claim_orders(f, {0});
  std::vector const moves{to(c[0], 15)};
  auto& tx = s->begin(moves, soon());
  tx.execute("set local search_path to pg_catalog");
  tx.execute("create temp table sluice_offsets (x int)");
  s->advance(tx, moves, soon());
  CHECK(s->commit(tx, soon()) == outcome::applied);
  CHECK(stands_at(f, partitions("orders", {0})) == std::vector{offset{15}});
}

TEST_CASE("where the row of a record set aside can't be written nothing is advanced") {
  fixture f;
  auto [r, set, s, c] = claim_orders(f);
  sql_cases::two_letters<fixture> const letters;
  f.look("alter table sluice_offsets_skipped add check (attempts < 3)");
  letters.set_aside(*s);
  std::vector const moves{to(c[0], 15), to(c[1], 25)};
  auto const e = error_of([&] { s->advance(moves, soon()); });
  CHECK(e.of_store);
  CHECK_THAT(e.text, ContainsSubstring("setting records aside"));
  CHECK(f.look("select next from sluice_offsets order by partition") == texts{"10", "20"});
  f.look("alter table sluice_offsets_skipped drop constraint sluice_offsets_skipped_attempts_check");
  CHECK(advance(*s, moves) == all(2, outcome::applied));
  CHECK(sql_cases::letters_in(f) == texts{letters.first, letters.second});
}
