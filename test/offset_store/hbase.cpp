#include <sluice/offset_store/hbase.hpp>

#include <sluice/legality.hpp>

#include "contract_network.hpp"
#include "hbase_support.hpp"

static_assert(sl::offset_store<sl::hbase_offset_store> && !sl::transactional_store<sl::hbase_offset_store>);
static_assert(sl::legal<sl::at_most_once, sl::hbase_offsets> && sl::legal<sl::idempotent, sl::hbase_offsets>);
static_assert(!sl::legal<sl::transactional, sl::hbase_offsets>);

TEST_CASE("hbase_offsets keeps the contract of stores") { contract::holds<hbase_fixture>(); }
TEST_CASE("hbase_offsets keeps the contract of stores behind a network") {
  contract::holds_over_network<hbase_with_history>();
}
