#include <sluice/detail/network_files.hpp>

#include "catch.hpp"
#include "detail/temporary_folder.hpp"

using namespace sluice::detail;

TEST_CASE("a mounted file system is found by its device") {
  struct stat s{};
  REQUIRE(::stat("/proc", &s) == 0);
  CHECK(mounted_type(s.st_dev) == "proc");
  CHECK(mounted_type(static_cast<::dev_t>(-1)).empty());
}

TEST_CASE("a local folder is no network file system, nor is one that isn't there") {
  CHECK(network_file_system("/proc").empty());
  CHECK(network_file_system(temporary_folder{}.name()).empty());
  CHECK(network_file_system("/nonexistent/folder").empty());
}
