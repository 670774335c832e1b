/// \file zookeeper_support.hpp  For the tests of what is kept in ZooKeeper: one server for all of them, a root for each fixture.
#pragma once
#include <sluice/offset_store/zookeeper.hpp>

#include <sluice/legality.hpp>

#include "catch.hpp"
#include "servers/proxy.hpp"
#include "servers/zookeeper.hpp"
#include "thrown.hpp"

namespace zk = sluice::detail::zookeeper;

inline servers::zookeeper& the_zookeeper() {
  static servers::zookeeper server;
  return server;
}

struct zookeeper_fixture {
  using store = sl::zookeeper_offset_store;
  static constexpr std::size_t most_round_trips = 1;

  std::string root{};
  sl::zookeeper_offsets config{};
  std::vector<std::string> told{};

  zookeeper_fixture() {
    static int fixtures = 0;
    root = "/test" + std::to_string(++fixtures);
    config.servers = the_zookeeper().address() + root;
    config.session_timeout = std::chrono::seconds{2};  // a lost connection is made anew after a sixtieth of it
  }

  std::unique_ptr<store> open() { return open(config); }
  std::unique_ptr<store> open(int port) {
    auto c = config;
    c.servers = "127.0.0.1:" + std::to_string(port) + root;
    return open(c);
  }
  std::unique_ptr<store> open(sl::zookeeper_offsets const& c) {
    sl::context around{.group = "billing"};
    around.log = [this](int, std::string_view line) { told.emplace_back(line); };
    return std::unique_ptr<store>{new store(sl::zookeeper_offsets::open(c, around))};
  }
  int port() const { return the_zookeeper().port(); }
  void freeze(bool on) { the_zookeeper().freeze(on); }
  void restart() { the_zookeeper().restart(); }

  zk::topic_paths at(std::string const& topic = "orders", std::string const& group = "billing") const {
    return zk::group_paths{root, config.path, config.state, group}.topic(topic);
  }
  std::string offset_of(sl::topic_partition const& of) const { return at(of.topic).offset_of(of.partition); }
  /// The node that holds a partition's state now.
  std::string state_of(sl::topic_partition const& of, std::string const& group = "billing") const {
    for (auto const& name : the_zookeeper().children(at(of.topic, group).state))
      if (name.starts_with(std::to_string(of.partition) + "-")) return at(of.topic, group).state_of(name);
    return {};
  }
  void forget(std::string const& group, sl::topic_partition const& of) {
    the_zookeeper().remove(at(of.topic, group).offset_of(of.partition));
    the_zookeeper().remove(state_of(of, group));
  }
  std::vector<std::string> causes() {
    std::vector<std::string> all;
    std::istringstream lines{the_zookeeper().get(at().rewinds()).value_or("")};
    for (std::string line; std::getline(lines, line); all.push_back(line))
      for (int word = 0; word < 5; ++word) line.erase(0, line.find(' ') + 1);
    return all;
  }
};
