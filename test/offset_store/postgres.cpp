#include <sluice/offset_store/postgres.hpp>

#include "../servers/postgres.hpp"
#include "contract.hpp"
#include "contract_network.hpp"
#include "postgres_support.hpp"

static_assert(sl::transactional_store<sl::postgres_offset_store>);
static_assert(sl::sets_aside<sl::postgres_offset_store>);

TEST_CASE("postgres_offsets keeps the contract of stores") { contract::holds<postgres_fixture>(); }

TEST_CASE("postgres_offsets keeps the contract of stores behind a network") {
  contract::holds_over_network<postgres_fixture>();
}
