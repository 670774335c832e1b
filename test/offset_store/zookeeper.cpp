#include <sluice/offset_store/zookeeper.hpp>

#include "contract_network.hpp"
#include "zookeeper_support.hpp"

static_assert(sl::offset_store<sl::zookeeper_offset_store>);
static_assert(!sl::transactional_store<sl::zookeeper_offset_store>);
static_assert(sl::zookeeper_offset_store::durable_at_advance);
static_assert(sl::legal<sl::at_most_once, sl::zookeeper_offsets> && sl::legal<sl::idempotent, sl::zookeeper_offsets>);
static_assert(!sl::legal<sl::transactional, sl::zookeeper_offsets>);

TEST_CASE("zookeeper_offsets keeps the contract of stores") { contract::holds<zookeeper_fixture>(); }
TEST_CASE("zookeeper_offsets keeps the contract of stores behind a network") {
  contract::holds_over_network<zookeeper_fixture>();
}
