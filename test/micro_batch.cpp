#include <sluice/micro_batch.hpp>

#include "catch.hpp"

namespace sl = sluice;
using namespace std::chrono_literals;

static_assert(sl::policy_for<sl::micro_batch, sl::batching_slot> && !sl::must_be_configured<sl::micro_batch>);

TEST_CASE("a batch is what has arrived, within bounds, unless told otherwise") {
  auto const usual = sl::micro_batch::open({}, {});
  CHECK(usual.interval == 0ms);
  CHECK(usual.max_records == 10'000);
  CHECK(usual.max_bytes == 16 * 1024 * 1024);
  auto const mine = sl::micro_batch::open({.interval = 2s, .max_records = 5, .max_bytes = 7}, {});
  CHECK((mine.interval == 2s && mine.max_records == 5 && mine.max_bytes == 7));
}
