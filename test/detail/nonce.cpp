#include <sluice/detail/nonce.hpp>

#include <set>

#include "catch.hpp"

namespace d = sluice::detail;

TEST_CASE("numbers as hexadecimal digits have 16 of them") {
  CHECK(d::hex(0) == "0000000000000000");
  CHECK(d::hex(0xfedcba9876543210u) == "fedcba9876543210");
}

TEST_CASE("no two nonces are the same, and all bits take part") {
  std::set<std::uint64_t> seen;
  std::uint64_t ones = 0, zeros = 0;
  for (int i = 0; i < 200; ++i) {
    auto const n = d::random_64();
    seen.insert(n);
    ones |= n;
    zeros |= ~n;
  }
  CHECK(seen.size() == 200);
  CHECK(ones == ~std::uint64_t{0});
  CHECK(zeros == ~std::uint64_t{0});
}

TEST_CASE("an incarnation rises, and never falls") {
  CHECK(d::next_incarnation(5, 3) == 6);
  CHECK(d::next_incarnation(5, 90) == 90);
  CHECK(d::next_incarnation(INT64_MAX, 90) == INT64_MAX);
}

TEST_CASE("the wall clock is told in milliseconds") {
  CHECK(d::wall_ms() > 1'600'000'000'000);
  CHECK(d::wall_ms() < 100'000'000'000'000);
}
