#include <sluice/offset_store/redis_positions.hpp>

#include "catch.hpp"

namespace sl = sluice;
namespace r = sluice::detail::redis;

TEST_CASE("keys lie in the group's slot, and no two names share one") {
  r::key_names const k{"sluice", "billing"};
  CHECK(k.slot() == "{sluice:billing}");
  CHECK(k.topic("orders") == "{sluice:billing}:offsets:orders");
  CHECK(k.rewinds() == "{sluice:billing}:rewinds");
  CHECK(r::key_names("sluice", "a}:{b").slot() == "{sluice:a%7D%3A%7Bb}");
  CHECK(r::key_names("a", "b:c").slot() != r::key_names("a:b", "c").slot());
  CHECK(r::key_names("a", "").slot() == "{a:%}");
  CHECK(k.are_ours("{sluice:billing}:offsets:x"));
  CHECK(k.are_ours("{sluice:billing}:rewinds"));
  CHECK_FALSE(k.are_ours("{sluice:billing}:counts"));
}
