#include <sluice/offset_store/postgres.hpp>

#include "contract_network.hpp"
#include "postgres_support.hpp"
#include "sql_server_cases.hpp"

using fixture = postgres_fixture;

TEST_CASE("postgres_offsets has transactions, and sets records aside") {
  STATIC_REQUIRE(sl::transactional_store<sl::postgres_offset_store>);
  STATIC_REQUIRE(sl::sets_aside<sl::postgres_offset_store>);
}

TEST_CASE("postgres_offsets keeps the contract of stores") { contract::holds<fixture>(); }

TEST_CASE("postgres_offsets keeps the contract of stores behind a network") { contract::holds_over_network<fixture>(); }

TEST_CASE("20 kills of PostgreSQL in mid-store lose nothing that it acknowledged", "[.long]") {
  contract::server_killed_often<fixture>();
}

TEST_CASE("postgres_offsets does what SQL stores must do") { sql_cases::hold<fixture>(); }

TEST_CASE("postgres_offsets does what stores in SQL servers must do") { sql_server_cases::hold<fixture>(); }
