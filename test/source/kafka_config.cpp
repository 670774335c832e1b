#include <sluice/source/kafka_config.hpp>

#include "catch.hpp"

namespace sl = sluice;

TEST_CASE("where to start: each way of saying it keeps what was said") {
  CHECK(sl::start_at::earliest.what() == sl::start_at::at_earliest);
  CHECK(sl::start_at::latest.what() == sl::start_at::at_latest);
  CHECK(sl::start_at::must_exist.what() == sl::start_at::nowhere);
  CHECK(sl::start_at::at(sl::offset{7}).what() == sl::start_at::at_offset);
  CHECK(sl::start_at::at(sl::offset{7}).offset() == sl::offset{7});
  auto const t = std::chrono::system_clock::time_point{std::chrono::microseconds{1'999}};
  CHECK(sl::start_at::since(t).what() == sl::start_at::at_time);
  CHECK(sl::start_at::since(t).time() == sl::wall_time{std::chrono::milliseconds{1}});
  auto const before = std::chrono::system_clock::time_point{std::chrono::microseconds{-1}};
  CHECK(sl::start_at::since(before).time() == sl::wall_time{std::chrono::milliseconds{-1}});
}

TEST_CASE("defaults: nothing is lost or replayed unasked") {
  auto const same = [](auto const& c) {
    CHECK_FALSE(c.start);
    CHECK(c.on_out_of_range == sl::out_of_range::nearest);
    CHECK(c.on_position_error == sl::position_error::stop);
    CHECK(c.max_buffered == 256u << 20);
    CHECK(c.expected_partitions == 64);
  };
  same(sl::kafka{.brokers = "b", .group = "g", .topics = {"t"}});
  same(sl::kafka_partitions{.brokers = "b", .partitions = {{"t", 0}}});
  static_assert(sl::policy_for<sl::kafka, sl::source_slot> && sl::policy_for<sl::kafka_partitions, sl::source_slot>);
  static_assert(sl::must_be_configured<sl::kafka> && sl::must_be_configured<sl::kafka_partitions>);
  static_assert(sl::kafka_partitions::assigned_by_hand);
}
