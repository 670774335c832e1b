#include <sluice/access_token.hpp>

#include "catch.hpp"

namespace sl = sluice;

TEST_CASE("nobody gives tokens unless somebody is named, and a token is of no use unless it says until when") {
  CHECK_FALSE(sl::token_source{});
  CHECK(sl::access_token{}.expires < std::chrono::system_clock::now());
  sl::token_source const give = [] { return sl::access_token{.value = "v"}; };
  CHECK(give().value == "v");
}
