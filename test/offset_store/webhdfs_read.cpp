#include <sluice/offset_store/webhdfs_read.hpp>

#include "reading.hpp"
#include "webhdfs_support.hpp"

namespace {

struct fixture : webhdfs_fixture {
  sl::context context() const { return {}; }
};

}  // namespace

TEST_CASE("positions in HDFS are read without a claim") { reading::holds<fixture>(); }

TEST_CASE("a directory without the group has no positions, and a server that is not there is told") {
  fixture f;
  CHECK(reading::read(f).empty());
  f.config.address = "http://127.0.0.1:1";
  f.config.timeout = std::chrono::milliseconds{500};
  CHECK_THROWS_WITH(reading::read(f), Catch::Matchers::ContainsSubstring("can't be reached"));
}
