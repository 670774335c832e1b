#include <sluice/offset_store/mysql_tables.hpp>

#include "mysql_support.hpp"
#include "sql_server_cases.hpp"

namespace {

using Catch::Matchers::ContainsSubstring;
using namespace contract;
using sql_server_cases::refused;
using fixture = mysql_fixture;

/// A user with few rights, on the fixture's database.
void make_user(fixture& f, std::string const& rights) {
  f.config.user = "user_" + f.database;
  f.look("create or replace user " + f.config.user + " identified by '" + server().password() + "'");
  if (!rights.empty()) f.look("grant " + rights + " on " + f.database + ".* to " + f.config.user);
}

}  // namespace

TEST_CASE("a user without rights is told what it lacks") {
  fixture f;
  make_user(f, "create temporary tables");
  auto e = refused(f);
  CHECK(e.code == sl::errc::bad_configuration);
  CHECK_THAT(e.text, ContainsSubstring("may not create the table sluice_offsets") &&
                         ContainsSubstring("create table if not exists"));
  f.look(e.text.substr(e.text.find("create table")));  // as whoever may does
  for (auto const* right : {"select", "insert", "update"}) {
    e = refused(f);
    CHECK(e.code == sl::errc::bad_configuration);
    CHECK_THAT(e.text,
               ContainsSubstring(std::string_view{right} == "select" ? "grant the user select"
                                                                     : std::string("lacks the right to ") + right));
    f.look(std::string("grant ") + right + " on " + f.database + ".* to " + f.config.user);
  }
  f.config.create = false;
  auto [r, set, s, c] = claim_orders(f);
  CHECK(c[0].what == sl::claimed::first);
  CHECK(advance(*s, {to(c[0], 15)}) == all{outcome::applied});
}

TEST_CASE("without create nothing is created, and the error says what to run") {
  fixture f;
  f.config.create = false;
  auto const e = refused(f);
  CHECK(e.code == sl::errc::bad_configuration);
  CHECK(f.look("show tables") == texts{"results"});
  f.look(e.text.substr(e.text.find("create table")));
  auto [r, set, s, c] = claim_orders(f);
  CHECK(c[0].what == sl::claimed::first);
  auto const letters = error_of([&, &on = s] { on->prepare_table("dead"); });
  CHECK(letters.code == sl::errc::bad_configuration);
  CHECK_THAT(letters.text, ContainsSubstring("create table if not exists") && ContainsSubstring("`dead`"));
}

TEST_CASE("a table that is somebody else's is left alone") {
  fixture f;
  SECTION("of another shape, engine or collation") {
    auto const told = [&](std::string const& change, std::string const& part) {
      f.open();
      f.look("alter table sluice_offsets " + change);
      auto const e = refused(f);
      CHECK(e.code == sl::errc::bad_configuration);
      CHECK_THAT(e.text, ContainsSubstring("sluice_offsets") && ContainsSubstring(part));
      f.look(
          "drop table sluice_offsets, sluice_offsets_meta, sluice_offsets_topics, sluice_offsets_rewinds,"
          " sluice_offsets_skipped");
    };
    told("modify next varchar(9)", "another type in the column next");
    told("drop next", "not one that the library made");
    told("modify topic varchar(255) collate utf8mb4_general_ci", "utf8mb4_nopad_bin");
    told("engine = Aria, drop primary key", "engine = InnoDB");
  }
}

TEST_CASE("where the making of the tables was cut off, the rest is made") {
  fixture f;
  f.config.create = false;
  auto const text = refused(f).text, ddl = text.substr(text.find("create table"));
  f.config.create = true;
  for (auto end = ddl.find("; "); end != ddl.npos; end = ddl.find("; ", end + 1)) {
    f.look("drop database " + f.database + "; create database " + f.database);
    f.look(ddl.substr(0, end));
    INFO(ddl.substr(0, end));
    CHECK(refused(f).text == "");
  }
}
