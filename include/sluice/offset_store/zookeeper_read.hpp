/// \file offset_store/zookeeper_read.hpp  A group's positions in ZooKeeper, read without claiming them.
#pragma once
#include <sluice/offset_store/kept_position.hpp>
#include <sluice/offset_store/zookeeper.hpp>

namespace sluice { inline namespace v0 {

namespace detail::zookeeper {

/// What a node's children are called; none where it is not there.
inline std::vector<std::string> names_under(found const& f, std::string const& path, node_reader const& reader) {
  return reader.there(f, path) ? f.names : std::vector<std::string>{};
}

inline void read_topic(session& s, std::string const& name, topic_paths const& at, std::vector<kept_position>& into,
                       time_point by) {
  node_reader const reader{s};
  auto const lists = s.read({{at.offsets, true}, {at.state}, {at.state, true}}, by);
  std::map<std::int32_t, fence> fences;
  if (reader.there(lists[1], at.state)) {
    reader.take_record(lists[1], at.state);
    fences = reader.take_names(lists[2], at.state);
  }
  std::vector<std::int32_t> partitions;
  std::vector<question> questions;
  for (auto const& node : names_under(lists[0], at.offsets, reader))
    if (auto const partition = read_partition(node)) {
      auto const mine = fences.find(*partition);
      partitions.push_back(*partition);
      questions.push_back({at.offset_of(*partition)});
      questions.push_back({at.state_of(state_name(*partition, mine == fences.end() ? fence{} : mine->second))});
    }
  auto const found = s.read(questions, by);
  for (std::size_t i = 0; i < partitions.size(); ++i) {
    partition_nodes nodes;
    reader.take_plain(found[2 * i], questions[2 * i].path, nodes);
    if (!nodes.plain) continue;
    auto const mine = fences.find(partitions[i]);
    if (mine != fences.end()) reader.take_state(found[2 * i + 1], questions[2 * i + 1].path, mine->second, nodes);
    into.push_back({.of = {name, partitions[i]},
                    .next = *nodes.plain,
                    .log = nodes.state && nodes.agree() ? nodes.state->log : log_state{},
                    .held = nodes.state && nodes.state->mine.nonce != 0});
  }
}

}  // namespace detail::zookeeper

/// See kept_position.hpp. What other programs wrote is among it: a number alone, of an incarnation that is not known.
inline std::vector<kept_position> read_positions(zookeeper_offsets const& config, context const& c, time_point by) {
  namespace zk = detail::zookeeper;
  zk::session s{zookeeper_offset_store::settings_of(zookeeper_offset_store::checked(config))};
  zk::group_paths const paths{zk::split_servers(config.servers).second, config.path, config.state, c.group};
  auto const topics = s.read({{paths.topics(), true}}, by)[0];
  std::vector<kept_position> all;
  for (auto const& node : zk::names_under(topics, paths.topics(), zk::node_reader{s}))
    if (auto const name = zk::text_of_node_name(node)) zk::read_topic(s, *name, paths.topic(*name), all, by);
  return detail::in_order(std::move(all));
}

}}  // namespace sluice::v0
