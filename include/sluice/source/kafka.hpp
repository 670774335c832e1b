/// \file source/kafka.hpp  The Kafka sources on librdkafka: from a user's configuration to what runs.
#pragma once
#include <sluice/source/kafka_source.hpp>
#include <sluice/source/rdkafka_client.hpp>

#include <regex.h>

namespace sluice { inline namespace v0 {
namespace detail {

template <class Config>
rdkafka_settings settings_of(Config const& c, context const& around, bool subscribe) {
  return {.brokers = c.brokers,
          .group = c.group,
          .properties = c.properties,
          .subscribe = subscribe,
          .commits = around.keeps_in_group,
          .committed_only = around.transactional_group,
          .max_buffered = c.max_buffered,
          .expected_partitions = c.expected_partitions,
          .log = around.log,
          .token = c.token,
          .tells_ends = c.until.what() != read_until::never};
}

}  // namespace detail

namespace detail {

/// As librdkafka reads it: a POSIX extended expression.
inline void check_pattern(std::string const& pattern) {
  ::regex_t compiled;
  if (int const wrong = ::regcomp(&compiled, pattern.c_str(), REG_EXTENDED | REG_NOSUB)) {
    char why[128] = "";
    ::regerror(wrong, &compiled, why, sizeof why);
    throw error(errc::bad_configuration, "kafka.pattern \"" + pattern + "\" is no extended regular expression: " + why);
  }
  ::regfree(&compiled);
}

}  // namespace detail

template <class Context>
detail::late<kafka::runtime, Context> kafka::open(kafka const& self, Context const& c) {
  if (self.topics.empty() == self.pattern.empty())
    throw error(errc::bad_configuration,
                self.topics.empty()
                    ? "nothing to read: give kafka.topics = {\"...\"}, or kafka.pattern, a regular expression"
                    : "kafka.topics and kafka.pattern are both given; give one of them");
  auto plan = detail::plan_of(self);
  plan.expected_partitions = self.expected_partitions;
  plan.topics = self.topics;
  for (auto const& topic : plan.topics)
    if (topic.empty() || topic.starts_with('^'))
      throw error(errc::bad_configuration,
                  "kafka.topics holds an empty name or a pattern; a pattern goes into kafka.pattern");
  if (!self.pattern.empty()) detail::check_pattern(self.pattern);
  if (!self.pattern.empty()) plan.topics.push_back((self.pattern.starts_with('^') ? "" : "^") + self.pattern);
  return detail::late<runtime, Context>{std::move(plan), detail::settings_of(self, c, true)};
}

template <class Context>
detail::late<kafka_partitions::runtime, Context> kafka_partitions::open(kafka_partitions const& self,
                                                                        Context const& c) {
  if (self.partitions.empty())
    throw error(errc::bad_configuration, "nothing to read: give kafka_partitions.partitions = {{\"topic\", 0}, ...}");
  auto plan = detail::plan_of(self);
  plan.expected_partitions = self.expected_partitions;
  plan.by_hand = self.partitions;
  return detail::late<runtime, Context>{std::move(plan), detail::settings_of(self, c, false)};
}

}}  // namespace sluice::v0
