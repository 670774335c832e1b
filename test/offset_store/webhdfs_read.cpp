#include <sluice/offset_store/webhdfs_read.hpp>

#include "reading.hpp"
#include "webhdfs_support.hpp"

namespace {

struct fixture : webhdfs_fixture {
  sl::context context() const { return {}; }
};

}  // namespace

TEST_CASE("positions in HDFS are read without a claim") { reading::holds<fixture>(); }
