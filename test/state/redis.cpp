#include <sluice/state/redis.hpp>

#include "../offset_store/redis_support.hpp"
#include "state_cases.hpp"

TEST_CASE("redis_offsets holds state") { state_cases::hold<redis_fixture>(); }

TEST_CASE("lossy_redis_offsets holds state") { state_cases::hold<lossy_redis_fixture>(); }

TEST_CASE("a handler can't write over state by hand") {
  redis_fixture f;
  state_cases::claimed_store<redis_fixture> s{f};
  s.transact(
      [](sl::redis_transaction& tx) {
        CHECK(error_of([&] { tx.set(tx.slot() + ":state:counts:orders:0", "x"); }).code == sl::errc::bad_statement);
      },
      false);
}
