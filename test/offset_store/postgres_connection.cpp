#include <sluice/offset_store/postgres_connection.hpp>

#include "postgres_support.hpp"
#include "servers/other_server.hpp"
#include "sql_server_cases.hpp"

namespace {

using Catch::Matchers::ContainsSubstring;
using namespace contract;
using sql_server_cases::refused;
using fixture = postgres_fixture;

}  // namespace

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
        "postgres://owner:CAN#ARY", "host=127.0.0.1 port=CANARY", "host= password=CANARY",
        "host=127.0.0.1 user= password=CANARY"}) {
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

TEST_CASE("one of several hosts that does not answer is passed over") {
  fixture f;
  servers::other_server const silent{[](auto const&) { return ""; }};
  auto const ports = std::to_string(silent.port()) + "," + std::to_string(f.port());
  f.config.connect_timeout = 2s;
  f.config.connection += " host=127.0.0.1,127.0.0.1 port=" + ports;
  auto const begun = std::chrono::steady_clock::now();
  contract::resolver r{{{"orders", {sl::offset{10}}}}};
  std::unique_ptr<fixture::store> const s{new fixture::store(sl::postgres_offsets::open(f.config, {}))};
  CHECK(contract::claim(*s, "billing", {sl::topic_partition{"orders", 0}}, r)[0].what == sl::claimed::first);
  CHECK(std::chrono::steady_clock::now() - begun < 2s);
}

TEST_CASE("a group's name that is not UTF-8 is told at once") {
  fixture f;
  auto const s = f.open();
  contract::resolver r{{{"orders", {sl::offset{10}}}}};
  CHECK(error_of([&] { s->claim("\xff", {{"orders", 0}}, r, contract::soon()); }).code == sl::errc::bad_configuration);
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
