/// \file source/kafka_start.hpp  Where a group starts that has no position: earliest, latest, an offset, a time, given ones.
#pragma once
#include <sluice/detail/late.hpp>
#include <sluice/source/client.hpp>
#include <sluice/source/kafka_config.hpp>

#include <algorithm>

namespace sluice { inline namespace v0 {

/// What both Kafka sources come down to.
struct kafka_plan {
  std::vector<std::string> topics{};  ///< subscribed; a pattern begins with '^'
  std::vector<topic_partition> by_hand{};
  start_at start = start_at::earliest;
  std::vector<position> start_from{};
  out_of_range on_out_of_range = out_of_range::nearest;
  position_error on_position_error = position_error::stop;
  read_until until{};
  int expected_partitions = 0;  ///< more are reported; 0: any number is expected
};

namespace detail {

template <class Config>
read_until until_of(Config const& c) {
  if constexpr (requires { c.until; })
    return c.until;
  else
    return {};
}

template <class Config>
kafka_plan plan_of(Config const& c) {
  if (c.timeout.count() <= 0) throw error(errc::bad_configuration, "the source's .timeout must be above 0");
  return {.start = c.start.value_or(start_at::earliest),
          .start_from = c.start_from,
          .on_out_of_range = c.on_out_of_range,
          .on_position_error = c.on_position_error,
          .until = until_of(c)};
}

}  // namespace detail

template <class Client>
class kafka_start final : public start_resolver {
  kafka_plan const& plan_;
  Client& client_;

 public:
  kafka_start(kafka_plan const& plan, Client& client) : plan_(plan), client_(client) {}

  topic_start start_of(std::string const& topic, time_point by) override {
    auto const n = client_.partition_count(topic, by);
    detail::late<std::vector<topic_partition>, Client> all;
    all.reserve(static_cast<std::size_t>(n));
    for (std::int32_t p = 0; p < n; ++p) all.push_back({topic, p});
    topic_start start{topic, std::vector<offset>(all.size())};
    switch (plan_.start.what()) {
      case start_at::at_earliest:
      case start_at::at_latest: {
        auto const logs = client_.ends(all, by);
        for (std::size_t p = 0; p < all.size(); ++p) {
          if (!logs[p].known)
            throw error(errc::no_broker, to_string(all[p]) + ": its ends are not known, no leader answered in time");
          start.starts[p] = plan_.start.what() == start_at::at_earliest ? logs[p].low : logs[p].high;
        }
        break;
      }
      case start_at::at_offset:
        start.starts.assign(all.size(), plan_.start.offset());
        break;
      case start_at::at_time:
        start.starts = client_.offsets_at(all, plan_.start.time(), by);
        break;
      case start_at::nowhere:
        throw error(errc::no_position,
                    "the group has no stored position in " + topic +
                        ", and .start is start_at::must_exist; mend .group, or choose where to start");
    }
    for (auto const& given : plan_.start_from)
      if (given.of.topic == topic && given.of.partition >= 0 && given.of.partition < n)
        start.starts[static_cast<std::size_t>(given.of.partition)] = given.next;
    return start;
  }

  offset earliest(topic_partition const& of, time_point by) override {
    auto const log = client_.ends({of}, by);
    if (!log.front().known)
      throw error(errc::no_broker, to_string(of) + ": its ends are not known, no leader answered in time");
    return log.front().low;
  }
};

}}  // namespace sluice::v0
