#include <sluice/detail/crash_point.hpp>

#include <string_view>

#include "catch.hpp"

#define TEXT_OF_EXPANSION(...) #__VA_ARGS__
#define TEXT_OF(...) TEXT_OF_EXPANSION(__VA_ARGS__)

TEST_CASE("a crash point is nothing where no test asks for it") {
  CHECK(std::string_view{TEXT_OF(SLUICE_CRASH_POINT("a name"))} == "static_cast<void>(0)");
  SLUICE_CRASH_POINT("a name");
}
