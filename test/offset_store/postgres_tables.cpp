#include <sluice/offset_store/postgres_tables.hpp>

#include <deque>

#include "postgres_support.hpp"
#include "servers/proxy.hpp"
#include "sql_server_cases.hpp"

namespace {

using Catch::Matchers::ContainsSubstring;
using namespace contract;
using sql_server_cases::refused;
using fixture = postgres_fixture;

}  // namespace

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
  std::deque<fixture> fixtures;  // longer than the proxy: the good-bye of a session is a request too
  std::atomic<bool> called{true};
  servers::proxy between{server().port()};
  for (unsigned after = 0; called; ++after) {
    auto& f = fixtures.emplace_back();
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
