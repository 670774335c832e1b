#include <sluice/offset_store/s3.hpp>

#include <sluice/legality.hpp>

#include "contract_network.hpp"
#include "s3_support.hpp"

static_assert(sl::offset_store<sl::s3_offset_store> && !sl::transactional_store<sl::s3_offset_store>);
static_assert(sl::legal<sl::at_most_once, sl::s3_offsets> && sl::legal<sl::idempotent, sl::s3_offsets>);
static_assert(!sl::legal<sl::transactional, sl::s3_offsets>);

TEST_CASE("s3_offsets keeps the contract of stores") { contract::holds<s3_fixture>(); }
TEST_CASE("s3_offsets keeps the contract of stores behind a network") { contract::holds_over_network<s3_fixture>(); }
