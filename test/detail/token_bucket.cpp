#include <sluice/detail/token_bucket.hpp>

#include "catch.hpp"
#include "seed.hpp"

namespace sl = sluice;
using namespace std::chrono_literals;
using sl::detail::amount;
using sl::detail::record_rate;
using sl::detail::token_bucket;

namespace {
record_rate each_second(double n) { return {"key", n, "remedy"}; }
sl::time_point at(std::chrono::nanoseconds t) { return sl::time_point{t}; }
}  // namespace

TEST_CASE("what comes in a time is exact") {
  CHECK(each_second(100).over(4s) == amount{400, 0});
  CHECK(each_second(33.3).over(1s) == amount{33, 300'000'000'000'000});
  CHECK(each_second(1e-6).over(1ns) == amount{0, 1});
  CHECK(each_second(1e-6).over(1'000'000s) == amount{1, 0});
  CHECK(each_second(1e9).over(1'000'000'000s) == amount{1'000'000'000'000'000'000, 0});
  CHECK(each_second(999'999'999.999999).over(999'999'999ns) == amount{999'999'998, 999'999'000'000'001});
}

TEST_CASE("a time in pieces brings what it brings as a whole") {
  std::mt19937_64 random(seed());
  for (int i = 0; i < 1000; ++i) {
    auto const rate = each_second(1e-6 + static_cast<double>(random() >> (random() % 38 + 26)) / 1e3);
    std::chrono::nanoseconds whole{0};
    amount sum;
    for (int k = 0; k < 20; ++k) {
      std::chrono::nanoseconds const piece(random() >> (random() % 40 + 20));
      whole += piece;
      sum = sum + rate.over(piece);
      REQUIRE(sum.femto < amount::one);
    }
    REQUIRE(sum == rate.over(whole));
  }
}

TEST_CASE("a bucket") {
  token_bucket const bucket(each_second(10), 1s);
  auto level = bucket.full(at(5s));
  CHECK(bucket.available(level, at(5s)) == 10);
  CHECK(bucket.available(level, at(1h)) == 10);
  level = bucket.take(level, at(5s), 7);
  CHECK(bucket.available(level, at(5s)) == 3);
  CHECK(bucket.available(level, at(5s + 99ms)) == 3);
  CHECK(bucket.available(level, at(5s + 100ms)) == 4);
  CHECK_FALSE(bucket.is_full(level, at(5s + 699ms)));
  CHECK(bucket.is_full(level, at(5s + 700ms)));
  CHECK(bucket.available(level, at(4s)) == 3);  // a clock that went back takes nothing
  level = bucket.take(level, at(5s), 8);        // taken beyond what there was: a debt
  CHECK(bucket.available(level, at(5s + 500ms)) == 0);
  CHECK(bucket.available(level, at(5s + 600ms)) == 1);
}

TEST_CASE("the burst is at least one record") {
  token_bucket const bucket(each_second(0.1), 1s);
  auto level = bucket.full(at(0s));
  CHECK(bucket.available(level, at(0s)) == 1);
  level = bucket.take(level, at(0s), 1);
  CHECK(bucket.available(level, at(10s - 1ns)) == 0);
  CHECK(bucket.available(level, at(10s)) == 1);
}

TEST_CASE("a pause of centuries does no harm") {
  token_bucket const bucket(each_second(1e9), 1s);
  auto const level = bucket.take(bucket.full(at(-9'000'000'000s / 2)), at(-9'000'000'000s / 2), 1'000'000'000);
  CHECK(bucket.available(level, at(9'000'000'000s / 2)) == 1'000'000'000);
}

TEST_CASE("a value out of its range names key, value, range and remedy") {
  CHECK_THROWS_WITH(sl::detail::checked("key", -2, 1, 1000, "write less"),
                    "sluice: key is -2, but must be a number from 1 to 1000: write less");
  CHECK(sl::detail::checked("key", 1000, 1, 1000, "") == 1000);
}
