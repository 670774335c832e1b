/// \file brokers.hpp  What the brokers know: the ends of logs, who is in the group, which local store its notes name.
#pragma once
#include <sluice/offset_store/kafka_read.hpp>
#include <sluice/source/rdkafka_client.hpp>

#include "words.hpp"

#include <algorithm>
#include <thread>

namespace tools {

/// Of one group. Throws sluice::error(no_broker, unknown_topic).
class brokers {
  sl::context context_;
  sl::rdkafka_client client_;

 public:
  brokers(std::string addresses, std::string group, std::map<std::string, std::string> properties)
      : context_{.brokers = std::move(addresses), .group = std::move(group), .properties = std::move(properties)},
        client_({.brokers = context_.brokers,
                 .group = context_.group,
                 .properties = context_.properties,
                 .subscribe = false}) {}
  brokers(brokers const&) = delete;
  brokers& operator=(brokers const&) = delete;
  ~brokers() { client_.close(std::chrono::steady_clock::now() + std::chrono::seconds{5}); }

  /// Throws for a partition that isn't there, or whose ends nobody tells.
  std::map<sl::topic_partition, sl::client::watermarks> ends(std::vector<sl::topic_partition> const& set,
                                                             sl::time_point by) {
    std::map<std::string, std::int32_t> counts;
    for (auto const& of : set) {
      if (!counts.contains(of.topic)) counts[of.topic] = client_.partition_count(of.topic, by);
      if (of.partition >= counts[of.topic])
        throw failure{"topic " + of.topic + " has " + std::to_string(counts[of.topic]) + " partitions: there is no " +
                      to_string(of)};
    }
    auto const ask = [&] { return set.empty() ? std::vector<sl::client::watermarks>{} : client_.ends(set, by); };
    auto found = ask();
    // A leader that is away may be elected meanwhile.
    while (std::any_of(found.begin(), found.end(), [](auto const& log) { return !log.known; }) &&
           std::chrono::steady_clock::now() < by) {
      std::this_thread::sleep_for(std::chrono::milliseconds{50});
      found = ask();
    }
    std::map<sl::topic_partition, sl::client::watermarks> all;
    for (std::size_t i = 0; i < set.size(); ++i) {
      if (!found[i].known)
        throw failure{"the brokers don't tell where the log of " + to_string(set[i]) + " begins and ends"};
      all[set[i]] = found[i];
    }
    return all;
  }
  std::int32_t partition_count(std::string const& topic, sl::time_point by) {
    return client_.partition_count(topic, by);
  }
  std::vector<sl::offset> offsets_at(std::vector<sl::topic_partition> const& set, sl::wall_time t, sl::time_point by) {
    return set.empty() ? std::vector<sl::offset>{} : client_.offsets_at(set, t, by);
  }
  std::vector<sl::group_member> members(sl::time_point by) const { return sl::group_members(context_, by); }

  std::vector<sl::group_position> notes(std::vector<sl::topic_partition> const& set, sl::time_point by) {
    return client_.positions().read(set, by);
  }
  /// Where the group takes them all.
  bool keep(std::vector<sl::group_position> const& set, sl::time_point by) {
    if (set.empty()) return true;
    auto const done = client_.positions().store(set, by);
    return std::all_of(done.begin(), done.end(), [](auto o) { return o == sl::outcome::applied; });
  }
};

}  // namespace tools
