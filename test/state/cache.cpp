#include <sluice/state/cache.hpp>

#include "catch.hpp"
#include "counted_new.hpp"

namespace {
sluice::topic_partition const a{"t", 0}, b{"t", 1};
}  // namespace

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

TEST_CASE("whatever allocation fails, what is counted stays right, and numbers stay good") {
  std::string const key(100, 'k'), value(1000, 'v');
  bool failed = true;
  for (long n = 0; failed; ++n) {
    sluice::detail::state_cache memory;
    failed = false;
    until_failure = n;
    try {
      auto const one = memory.number_of(a);
      memory.open(one, 0);
      memory.set(memory.add(one, key), value, 5, true);
      memory.close(one, 77);
    } catch (std::bad_alloc const&) { failed = true; }
    until_failure = -1;
    INFO("allocation " << n);
    for (auto const& of : {a, b}) {
      auto const number = memory.number_of(of);
      CHECK(memory.open(number, 77) == (!failed && of == a));
      memory.forget(number);
      memory.set(memory.add(number, key), value, 5, true);
    }
    CHECK(memory.rows() == 2);
    CHECK(memory.find(memory.number_of(a), key));
    memory.trim(0);
    CHECK(memory.rows() == 0);
    CHECK(memory.bytes() == 0);
  }
}
