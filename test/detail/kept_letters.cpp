#include <sluice/detail/kept_letters.hpp>

#include "catch.hpp"
#include "some_records.hpp"

TEST_CASE("a letter that is kept outlives its record, until its partition is forgotten") {
  sl::detail::kept_letters kept;
  sl::topic_partition const zero{"orders", 0}, one{"orders", 1};
  {
    some_records a{zero, 7}, b{one};
    a.add(12, "k", std::nullopt);
    b.add(13, std::nullopt, "", {{"a", "1"}, {"b", std::nullopt}});
    kept.keep("t", {a[0], "broken", 3, {}});
    kept.keep("u", {b[0], "", 1, {}});
  }
  int seen = 0;
  kept.each_of(zero, [&](sl::detail::kept_letter const& k) {
    ++seen;
    CHECK(k.table == "t");
    CHECK(k.at == 12);
    CHECK(k.incarnation == 7);
    CHECK(k.timestamp == 1'700'000'000'012);
    CHECK(k.key == "k");
    CHECK_FALSE(k.value);
    CHECK_FALSE(k.headers);
    CHECK(k.error == "broken");
    CHECK(k.attempts == 3);
  });
  kept.each_of(one, [&](sl::detail::kept_letter const& k) {
    ++seen;
    CHECK_FALSE(k.key);
    CHECK(k.value == "");
    CHECK(k.headers == R"([["a","MQ=="],["b",null]])");
  });
  CHECK(seen == 2);
  kept.forget(zero);
  kept.each_of(zero, [](auto const&) { FAIL(); });
  CHECK_FALSE(kept.empty());
  kept.forget(one);
  CHECK(kept.empty());
}
