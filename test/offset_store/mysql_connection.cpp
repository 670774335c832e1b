#include <sluice/offset_store/mysql_connection.hpp>

#include "contract.hpp"
#include "detail/temporary_folder.hpp"
#include "mysql_support.hpp"
#include "servers/other_server.hpp"
#include "servers/proxy.hpp"

namespace {

using Catch::Matchers::ContainsSubstring;
using namespace contract;

/// What opening throws; the password is in no error.
thrown refused(sl::mysql_offsets const& config) {
  auto const e = error_of([&] { sl::mysql_offset_store const s{sl::mysql_offsets::open(config, {})}; });
  CHECK_THAT(e.text, !ContainsSubstring(server().password()) && !ContainsSubstring("CANARY"));
  return e;
}

sl::mysql_offsets config_of(servers::mariadb const& s) {
  plain_session{{}, s}.rows("create database if not exists d");
  return {.host = "127.0.0.1", .port = s.port(), .user = "owner", .password = s.password(), .database = "d"};
}

}  // namespace

TEST_CASE("what the configuration can't be is told with its key and a remedy") {
  mysql_fixture f;
  auto const good = f.config;
  auto const told = [&](std::string const& key) {
    auto const e = refused(f.config);
    CHECK(e.code == sl::errc::bad_configuration);
    CHECK_THAT(e.text, ContainsSubstring("mysql_offsets." + key));
    f.config = good;
  };
  for (auto const* name : {"", "a b", "1a", "a;b", "a`b", "caf\xc3\xa9"}) {
    f.config.table = name;
    told("table");
  }
  f.config.table = std::string(57, 'a');
  told("table");
  for (auto const& name : {std::string(56, 'a'), std::string("order"), std::string("Order")}) {
    f.config.table = name;
    CHECK(refused(f.config).text == "");
    CHECK(f.look("select 1 from `" + name + "`").empty());
  }
  f.config = good;
  f.config.host = "";
  told("host");
  for (int const port : {0, 65536}) {
    f.config.port = port;
    told("port");
  }
  f.config.database = "";
  told("database");
  f.config.password_variable = "ANOTHER";
  told("password");
  f.config.lock_timeout = 0s;
  told("");
  f.config.password = "";
  f.config.password_variable = "NOBODY_SET_THIS";
  told("password_variable");
  f.config.password = "";
  f.config.password_file = "/nowhere";
  told("password_file");
}

TEST_CASE("a server that can't be had is told with its place") {
  mysql_fixture f;
  f.config.connect_timeout = 500ms;
  auto const told = [&](std::string const& part) {
    auto const begun = std::chrono::steady_clock::now();
    auto const e = refused(f.config);
    CHECK(std::chrono::steady_clock::now() - begun < 4s);
    CHECK(e.code == sl::errc::store_unavailable);
    CHECK(e.of_store);
    CHECK_THAT(e.text,
               ContainsSubstring("mysql_offsets") && ContainsSubstring(part) && ContainsSubstring("check .host"));
  };
  SECTION("nobody listens") {
    f.config.port = servers::free_port();
    told("127.0.0.1:" + std::to_string(f.config.port));
  }
  SECTION("no such path") {
    f.config.host = "/no/such/socket";
    told("/no/such/socket");
  }
  SECTION("a server of something else that speaks first") {
    servers::other_server const ssh{[](auto const&) { return "SSH-2.0-x\r\n"; }, true};
    f.config.port = ssh.port();
    told("");
  }
  SECTION("a server that never says a word") {
    servers::other_server const silent{[](auto const&) { return ""; }};
    f.config.port = silent.port();
    told("no answer in time");
  }
  SECTION("one that closes at once") {
    servers::other_server const closes{[](auto const&) { return std::nullopt; }, true};
    f.config.port = closes.port();
    told("");
  }
  SECTION("a wrong password") {
    f.config.password = "CANARYwrong";
    told("Access denied");
  }
  SECTION("no such database") {
    f.config.database = "nowhere";
    told("nowhere");
  }
  SECTION("one that does not encrypt, where that is asked for") {
    f.config.tls_ca = "/etc/ssl/certs/ca-certificates.crt";
    told("");
  }
}

TEST_CASE("passwords by file and variable, and a Unix socket") {
  mysql_fixture f;
  temporary_folder const folder;
  auto const password = std::exchange(f.config.password, "");
  f.config.host = server().socket();
  f.config.password_file = folder.name() + "/secret";
  write_file(f.config.password_file, password + "\n");
  CHECK(refused(f.config).text == "");
  f.config.password_file = "";
  f.config.password_variable = "SLUICE_TEST_MYSQL_PASSWORD";
  ::setenv("SLUICE_TEST_MYSQL_PASSWORD", password.c_str(), 1);
  CHECK(refused(f.config).text == "");
}

TEST_CASE("each session is set the same, whatever the server's defaults are") {
  mysql_fixture f;
  plain_session other;
  struct defaults {
    plain_session& on;
    ~defaults() {
      on.rows(
          "set global autocommit = default, global sql_mode = default, global innodb_lock_wait_timeout = default, "
          "global"
          " completion_type = default; set global transaction isolation level repeatable read, read write");
    }
  } const afterwards{other};
  other.rows(
      "set global autocommit = 0, global sql_mode = '', global innodb_lock_wait_timeout = 77, global"
      " idle_transaction_timeout = 0, global innodb_snapshot_isolation = 0, global max_statement_time = 0, global"
      " completion_type = 1; set global transaction isolation level serializable, read only");
  thrown const e = error_of([&] {
    auto const s = f.open();
    auto& tx = s->begin({}, soon());
    tx.execute("insert into results values ('x')");
    auto const is = [&](std::string const& name) {
      auto rows = tx.query("show session variables like '" + name + "'");
      return (*rows.begin()).get<std::string>(1);
    };
    CHECK(is("autocommit") == "ON");
    CHECK_THAT(is("sql_mode"), ContainsSubstring("STRICT_ALL_TABLES"));
    CHECK(is("innodb_lock_wait_timeout") == "5");
    CHECK(is("lock_wait_timeout") == "5");
    CHECK(is("idle_transaction_timeout") == "2");
    CHECK(is("innodb_snapshot_isolation") == "ON");
    CHECK(is("max_statement_time") == "30.000000");
    CHECK(is("completion_type") == "NO_CHAIN");
    CHECK(is("character_set_client") == "utf8mb4");
    CHECK((*tx.query("select trx_isolation_level from information_schema.innodb_trx where trx_mysql_thread_id ="
                     " connection_id()")
                .begin())
              .get<std::string>(0) == "REPEATABLE READ");
  });
  CHECK(e.text == "");
}

TEST_CASE("a server that would lose offsets, or can't be written to, is refused at each connect") {
  servers::mariadb s{{"--log-bin", "--sync-binlog=1"}};
  auto const config = config_of(s);
  CHECK(refused(config).text == "");
  auto r = orders();
  auto const store =
      std::unique_ptr<sl::mysql_offset_store>{new sl::mysql_offset_store(sl::mysql_offsets::open(config, {}))};
  auto claims = claim(*store, "billing", partitions("orders", {0}), r);
  plain_session admin{{}, s};
  for (auto const& [bad, good, part] :
       {std::array{"innodb_flush_log_at_trx_commit = 2", "innodb_flush_log_at_trx_commit = 1",
                   "set global innodb_flush_log_at_trx_commit = 1"},
        std::array{"innodb_flush_log_at_trx_commit = 0", "innodb_flush_log_at_trx_commit = 3", "is 0"},
        std::array{"sync_binlog = 0", "sync_binlog = 1", "set global sync_binlog = 1"},
        std::array{"binlog_format = STATEMENT", "binlog_format = MIXED", "set global binlog_format = MIXED"},
        std::array{"read_only = 1", "read_only = 0", "connect to the primary"}}) {
    INFO(bad);
    admin.rows(std::string("set global ") + bad);
    auto const e = refused(config);
    CHECK(e.code == sl::errc::store_unavailable);
    CHECK_THAT(e.text, ContainsSubstring(part));
    auto assuming = config;
    assuming.assume_durable = true;
    bool const durability = std::string_view{bad}.starts_with("innodb") || std::string_view{bad}.starts_with("sync");
    CHECK((refused(assuming).text == "" || !durability));

    auto const moves = std::vector{to(claims[0], claims[0].next.value() + 5)};
    for (auto const& id : admin.rows("select id from information_schema.processlist where user = 'owner' and id <>"
                                     " connection_id() and db = 'd'"))
      try {
        admin.rows("kill " + id);
      } catch (std::exception const&) {}  // it has just ended by itself
    CHECK(error_of([&] { store->advance(moves, soon()); }).code == sl::errc::store_unavailable);
    admin.rows(std::string("set global ") + good);
    CHECK(advance(*store, moves) == all{outcome::applied});
    claims = claim(*store, "billing", partitions("orders", {0}), r);
  }
}

TEST_CASE("a server that becomes read-only under an open session is left") {
  servers::mariadb s;
  auto config = config_of(s);
  plain_session admin{{}, s};
  admin.rows("create or replace user app identified by '" + s.password() + "'; grant all on d.* to app");
  config.user = "app";
  auto r = orders();
  sl::mysql_offset_store store{sl::mysql_offsets::open(config, {})};
  auto const c = claim(store, "billing", partitions("orders", {0}), r);
  admin.rows("set global read_only = 1");
  for (int i = 0; i < 2; ++i) {
    auto const e = error_of([&] { store.advance(std::vector{to(c[0], 15)}, soon()); });
    CHECK(e.code == sl::errc::store_unavailable);
    CHECK_THAT(e.text, ContainsSubstring("read-only") && ContainsSubstring("primary"));
  }
  admin.rows("set global read_only = 0");
  CHECK(advance(store, {to(c[0], 15)}) == all{outcome::applied});
}

TEST_CASE("the session of a transaction of unknown outcome is ended by the next one") {
  mysql_fixture f;
  servers::proxy p{f.port()};
  auto r = orders();
  auto const s = f.open(p.port());
  auto const set = partitions("orders", {0, 1});
  auto const c = claim(*s, "billing", set, r);
  std::vector const moves{to(c[0], 15), to(c[1], 25)};
  auto& tx = s->begin(moves, soon());
  f.write(tx, "a");
  s->advance(tx, moves, soon());
  p.arrange(servers::proxy::trouble::hold);
  CHECK(s->commit(tx, soon()) == outcome::unknown);
  auto const begun = std::chrono::steady_clock::now();
  CHECK(copy(s->settle(moves, soon())) == all(2, outcome::refused));
  CHECK(std::chrono::steady_clock::now() - begun < 3s);  // without waiting for its locks to be given up
  p.deliver();
  CHECK(f.results().empty());
}
