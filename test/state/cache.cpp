#include <sluice/state/cache.hpp>

#include "catch.hpp"

namespace {
sluice::topic_partition const a{"t", 0}, b{"t", 1};
}

TEST_CASE("a partition's rows hold as long as the stamp is the same, and for nobody while they are changed") {
  sluice::detail::state_cache memory;
  auto const one = memory.number_of(a), two = memory.number_of(b);
  CHECK(memory.number_of(a) == one);
  CHECK_FALSE(memory.open(one, 0));
  memory.set(memory.add(one, "k"), "1", 5, true);
  memory.set(memory.add(two, "k"), "2", 5, true);
  memory.close(one, 77);
  CHECK(memory.open(one, 77));
  REQUIRE(memory.find(one, "k"));
  CHECK(memory.find(one, "k")->value == "1");
  CHECK_FALSE(memory.open(one, 77));  // it was not closed
  CHECK_FALSE(memory.find(one, "k"));
  memory.set(memory.add(one, "k"), "3", 5, true);
  memory.close(one, 78);
  CHECK_FALSE(memory.open(one, 77));
  CHECK_FALSE(memory.find(one, "k"));
  REQUIRE(memory.find(two, "k"));  // another's rows are another's
  CHECK(memory.find(two, "k")->value == "2");
}

TEST_CASE("what was used last is kept, and every byte is counted") {
  sluice::detail::state_cache memory;
  auto const one = memory.number_of(a);
  for (auto const* key : {"a", "b", "c"}) memory.set(memory.add(one, key), std::string(1000, 'x'), 0, true);
  auto const full = memory.bytes();
  CHECK(full > 3000);
  (void)memory.find(one, "a");
  memory.trim(full - 1);
  CHECK_FALSE(memory.find(one, "b"));
  CHECK(memory.find(one, "a"));
  CHECK(memory.rows() == 2);
  memory.trim(0);
  CHECK(memory.bytes() == 0);
  memory.set(memory.add(one, "a"), std::string(1000, 'x'), 0, true);
  memory.forget(one);
  CHECK(memory.bytes() == 0);
}
