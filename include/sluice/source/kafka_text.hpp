/// \file source/kafka_text.hpp  A Kafka source's configuration as text for a log, without its secrets.
#pragma once
#include <sluice/source/kafka_config.hpp>
#include <sluice/source/rdkafka_properties.hpp>

#include <concepts>

namespace sluice { inline namespace v0 {

/// One line, as it is written in the program. Of .properties only the values of names that are known to hold no secret,
/// *** for all others; of .token only that there is one.
template <class Source>
  requires std::same_as<Source, kafka> || std::same_as<Source, kafka_partitions>
std::string to_string(Source const& c) {
  auto const quoted = [](std::string const& text) { return "\"" + text + "\""; };
  auto const list = [](auto const& all, auto const& as_text) {
    std::string text;
    for (auto const& one : all) text += (text.empty() ? "{" : ", ") + as_text(one);
    return text.empty() ? "{}" : text + "}";
  };
  std::string text = "{.brokers = " + quoted(c.brokers) + ", .group = " + quoted(c.group);
  if constexpr (std::same_as<Source, kafka>) {
    text = "kafka" + text;
    if (!c.topics.empty()) text += ", .topics = " + list(c.topics, quoted);
    if (!c.pattern.empty()) text += ", .pattern = " + quoted(c.pattern);
  } else {
    text = "kafka_partitions" + text;
    text += ", .partitions = " + list(c.partitions, [](auto const& of) { return to_string(of); });
  }
  auto const start = c.start.value_or(start_at::earliest);
  static constexpr char const* starts[] = {"earliest", "latest", "at ", "since ", "must_exist"};
  text += std::string(", .start = ") + starts[start.what()];
  if (start.what() == start_at::at_offset) text += std::to_string(start.offset().value());
  if (start.what() == start_at::at_time) text += std::to_string(start.time().time_since_epoch().count()) + " ms";
  if (!c.start_from.empty())
    text += ", .start_from = " +
            list(c.start_from, [](auto const& p) { return to_string(p.of) + " at " + std::to_string(p.next.value()); });
  static constexpr char const* elsewhere[] = {"stop", "earliest", "nearest"};
  text += std::string(", .on_out_of_range = ") + (c.on_out_of_range == out_of_range::stop ? "stop" : "nearest") +
          ", .on_position_error = " + elsewhere[static_cast<int>(c.on_position_error)] +
          ", .max_buffered = " + std::to_string(c.max_buffered) +
          ", .expected_partitions = " + std::to_string(c.expected_partitions) +
          ", .timeout = " + std::to_string(c.timeout.count()) + " ms";
  static constexpr char const* ends[] = {"never", "an offset", "a time", "the end", "an offset for each partition"};
  if (c.until.what() != read_until::never) text += std::string(", .until = ") + ends[c.until.what()];
  if (!c.properties.empty()) text += ", .properties = {" + detail::printed(c.properties, ", ") + "}";
  if (c.token) text += ", .token = ***";
  return text + "}";
}

}}  // namespace sluice::v0
