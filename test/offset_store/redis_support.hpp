/// \file redis_support.hpp  For the tests of what is kept in Redis: one server for all of them, a prefix for each fixture.
#pragma once
#include <sluice/offset_store/redis.hpp>

#include <sluice/legality.hpp>

#include "catch.hpp"
#include "servers/proxy.hpp"
#include "servers/redis.hpp"
#include "thrown.hpp"

namespace sl = sluice;

inline servers::redis& the_redis() {
  static servers::redis server;
  return server;
}

inline int fixtures = 0;

template <class Policy>
struct redis_fixture_of {
  using store = typename Policy::runtime;
  static constexpr std::size_t most_round_trips = 1;

  Policy config{};
  redis_fixture_of() {
    config.host = "127.0.0.1";
    config.port = the_redis().port();
    config.password = the_redis().password();
    config.prefix = "test" + std::to_string(++fixtures);
  }

  std::unique_ptr<store> open() { return open(config.port); }
  std::unique_ptr<store> open(int port) {
    auto c = config;
    c.port = port;
    return std::unique_ptr<store>{new store(Policy::open(c, {}))};
  }
  int port() const { return config.port; }
  void freeze(bool on) { the_redis().freeze(on); }
  void restart() { the_redis().restart(); }

  std::string slot(std::string const& group = "billing") const {
    return "{" + config.prefix + ":" + sl::detail::file_name(group) + "}";
  }
  std::string topic(std::string const& name, std::string const& group = "billing") const {
    return slot(group) + ":offsets:" + name;
  }
  void forget(std::string const& group, sl::topic_partition const& of) {
    the_redis().ask({"HDEL", topic(of.topic, group), std::to_string(of.partition)});
  }
  std::vector<std::string> causes() {
    auto all = the_redis().ask({"LRANGE", slot() + ":rewinds", "0", "-1"});
    for (auto& line : all)
      for (int word = 0; word < 6; ++word) line.erase(0, line.find(' ') + 1);
    return all;
  }
  void write(sl::redis_transaction& tx, std::string const& text) { tx.rpush(tx.slot() + ":results", text); }
  std::vector<std::string> results() {
    auto all = the_redis().ask({"LRANGE", slot() + ":results", "0", "-1"});
    std::sort(all.begin(), all.end());
    return all;
  }
};
using redis_fixture = redis_fixture_of<sl::redis_offsets>;
using lossy_redis_fixture = redis_fixture_of<sl::lossy_redis_offsets>;
