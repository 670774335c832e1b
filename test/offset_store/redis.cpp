#include <sluice/offset_store/redis.hpp>

#include "contract.hpp"
#include "redis_support.hpp"

static_assert(sl::transactional_store<sl::redis_offset_store>);
static_assert(sl::redis_offset_store::durable_at_advance && !sl::lossy_redis_offset_store::durable_at_advance);

TEST_CASE("redis_offsets keeps the contract of stores") { contract::holds<redis_fixture>(); }
TEST_CASE("lossy_redis_offsets keeps the contract of stores") { contract::holds<lossy_redis_fixture>(); }
