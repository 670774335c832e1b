#include <sluice/sluice.hpp>

#include "catch.hpp"

namespace sl = sluice;

TEST_CASE("one header has all that needs librdkafka only, under these names") {
  static_assert(sl::legal<sl::at_most_once, sl::kafka_offsets, sl::shed_load>);
  static_assert(sl::legal<sl::at_least_once, sl::periodic_kafka_offsets, sl::max_rate_per_partition, sl::retry<>>);
  static_assert(sl::legal<sl::idempotent, sl::no_offsets<sl::from::earliest>, sl::kafka_partitions>);
  static_assert(sl::legal<sl::transactional, sl::file_offsets, sl::pid_backpressure, sl::dead_letter_file>);
  static_assert(sl::legal<sl::transactional, sl::kafka_offsets, sl::dead_letter_topic, sl::micro_batch, sl::log_to>);
  static_assert(!sl::legal<sl::at_most_once, sl::kafka_offsets, sl::retry<>>);
}

TEST_CASE("the order of policies is of no account") {
  using ab = sl::slots_of<sl::at_least_once, sl::kafka_offsets, sl::pid_backpressure>;
  using ba = sl::slots_of<sl::pid_backpressure, sl::kafka_offsets, sl::at_least_once>;
  static_assert(std::same_as<ab, ba>);
  static_assert(std::same_as<ab::source, sl::kafka> && std::same_as<ab::on_failure, sl::stop>);
}

TEST_CASE("a consumer is neither copied nor moved") {
  using consumer = sl::stream_consumer<sl::at_least_once, sl::kafka_offsets>;
  static_assert(!std::is_copy_constructible_v<consumer> && !std::is_move_constructible_v<consumer>);
  static_assert(!std::is_copy_assignable_v<consumer> && !std::is_move_assignable_v<consumer>);
}
