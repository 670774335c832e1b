#include <sluice/offset_store/webhdfs.hpp>

#include <sluice/legality.hpp>

#include "contract_network.hpp"
#include "webhdfs_support.hpp"

static_assert(sl::offset_store<sl::webhdfs_offset_store> && !sl::transactional_store<sl::webhdfs_offset_store>);
static_assert(sl::legal<sl::at_most_once, sl::webhdfs_offsets> && sl::legal<sl::idempotent, sl::webhdfs_offsets>);
static_assert(!sl::legal<sl::transactional, sl::webhdfs_offsets>);

TEST_CASE("webhdfs_offsets keeps the contract of stores") { contract::holds<webhdfs_fixture>(); }
TEST_CASE("webhdfs_offsets keeps the contract of stores behind a network") {
  contract::holds_over_network<webhdfs_fixture>();
}

TEST_CASE("20 kills of HDFS in mid-store lose nothing that it acknowledged", "[.long]") {
  contract::server_killed_often<webhdfs_fixture>();
}
