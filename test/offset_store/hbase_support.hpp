/// \file hbase_support.hpp  For the tests of what is kept in HBase: one server for all of them, a table for each fixture.
#pragma once
#include <sluice/offset_store/hbase.hpp>

#include "contract.hpp"
#include "servers/hbase.hpp"
#include "thrown.hpp"

namespace hb = sluice::detail::hbase;

inline servers::hbase& the_hbase() {
  static servers::hbase server;
  return server;
}

inline int hbase_fixtures = 0;

struct hbase_fixture {
  using store = sl::hbase_offset_store;
  static constexpr std::size_t most_round_trips = 1;

  sl::hbase_offsets config{
      .address = the_hbase().address(), .table = "test" + std::to_string(++hbase_fixtures), .history = false};
  std::vector<std::string> told{};

  std::unique_ptr<store> open() { return open(the_hbase().port()); }
  std::unique_ptr<store> open(int port) {
    auto c = config;
    c.address = the_hbase().address(port);
    sl::context around{.group = "billing"};
    around.log = [this](int, std::string_view line) { told.emplace_back(line); };
    return std::unique_ptr<store>{new store(sl::hbase_offsets::open(c, around))};
  }
  int port() const { return the_hbase().port(); }
  void freeze(bool on) { the_hbase().freeze(on); }
  void restart() { the_hbase().restart(); }

  hb::table table() const { return hb::table{hb::settings_of(config)}; }
  hb::state state(std::string const& group = "billing") const {
    hb::state s{hb::settings_of(config)};
    s.select(group);
    return s;
  }
  void forget(std::string const& group, sl::topic_partition const& of) {
    auto s = state(group);
    s.newest(contract::soon()).topics.at({group, of.topic}).at(static_cast<std::size_t>(of.partition)).there = false;
    CHECK(s.publish(contract::soon()) == sl::detail::publication::yes);
  }
  std::vector<std::string> causes() {
    std::vector<std::string> all;
    auto const now = state().newest(contract::soon());
    for (auto const& j : now.jumps) all.push_back(j.cause);
    return all;
  }
};

/// With a row of the history for each advance.
struct hbase_with_history : hbase_fixture {
  static constexpr std::size_t most_round_trips = 2;

  hbase_with_history() {
    config.history = true;
    config.history_every = std::chrono::milliseconds{0};
  }
};
