#include <sluice/offset_store/s3_read.hpp>

#include "reading.hpp"
#include "s3_support.hpp"

namespace {

struct fixture : s3_fixture {
  sl::context context() const { return {}; }
};

}  // namespace

TEST_CASE("positions in S3 are read without a claim, by who may only read") {
  reading::holds<fixture>();
  fixture f;
  contract::resolver r{{{"orders", {sl::offset{10}}}}};
  contract::claim(*f.open(), "billing", {sl::topic_partition{"orders", 0}}, r);
  f.config.access_key = the_s3().reader();
  CHECK(reading::read(f).size() == 1);
}
