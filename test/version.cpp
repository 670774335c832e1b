#include <sluice/version.hpp>

#include "catch.hpp"

#include <string>

TEST_CASE("the version as a text and in numbers is the same") {
  CHECK(std::to_string(SLUICE_VERSION_MAJOR) + "." + std::to_string(SLUICE_VERSION_MINOR) + "." +
            std::to_string(SLUICE_VERSION_PATCH) ==
        SLUICE_VERSION_STRING);
}
