#include <sluice/offset_store/mysql.hpp>

#include "mysql_support.hpp"
#include "sql_server_cases.hpp"

namespace {

using Catch::Matchers::ContainsSubstring;
using namespace contract;
using fixture = mysql_fixture;

}  // namespace

TEST_CASE("mysql_offsets keeps the contract of stores") { contract::holds<fixture>(); }

TEST_CASE("mysql_offsets keeps the contract of stores behind a network") { contract::holds_over_network<fixture>(); }

TEST_CASE("20 kills of MariaDB in mid-store lose nothing that it acknowledged", "[.long]") {
  contract::server_killed_often<fixture>();
}

TEST_CASE("mysql_offsets does what SQL stores must do") { sql_cases::hold<fixture>(); }

TEST_CASE("mysql_offsets does what stores in SQL servers must do") { sql_server_cases::hold<fixture>(); }

TEST_CASE("names that can't be kept apart are refused") {
  fixture f;
  auto const s = f.open();
  resolver r{{{std::string(256, 'x'), {offset{1}}}, {"t\xff", {offset{1}}}}};
  for (auto const& topic : {std::string(256, 'x'), std::string("t\xff")})
    CHECK(error_of([&] { s->claim("billing", {{topic, 0}}, r, soon()); }).code == sl::errc::bad_configuration);
  CHECK(error_of([&] { s->claim(std::string(256, 'x'), {{"orders", 0}}, r, soon()); }).code ==
        sl::errc::bad_configuration);
}

TEST_CASE("rows that another transaction holds make a claim answer busy, in time") {
  fixture f;
  f.config.lock_timeout = std::chrono::seconds{1};
  auto [r, set, s, c] = claim_orders(f);
  plain_session other{f.database};
  other.rows("start transaction; select * from sluice_offsets for update");
  auto const begun = std::chrono::steady_clock::now();
  auto const busy = s->claim("billing", set, r, soon());
  CHECK(busy[1].what == sl::claimed::busy);
  CHECK(busy[1].of == set[1]);
  CHECK_THAT(busy[1].why, ContainsSubstring("another session holds the lock"));
  auto const e = error_of([&, &on = s, &claims = c] { on->advance(std::vector{to(claims[0], 15)}, soon()); });
  CHECK(e.code == sl::errc::store_unavailable);
  CHECK(e.of_store);
  CHECK(std::chrono::steady_clock::now() - begun < 4s);
  other.rows("rollback");
  CHECK(advance(*s, {to(c[0], 15)}) == all{outcome::applied});
}
