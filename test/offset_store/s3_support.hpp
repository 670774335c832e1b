/// \file s3_support.hpp  For the tests of what is kept in S3: one server for all of them, a prefix for each fixture.
#pragma once
#include <sluice/offset_store/s3.hpp>

#include "contract.hpp"
#include "servers/s3.hpp"

namespace sl = sluice;

inline servers::s3& the_s3() {
  static servers::s3 server;
  return server;
}

inline int s3_fixtures = 0;

struct s3_fixture {
  using store = sl::s3_offset_store;
  static constexpr std::size_t most_round_trips = 1;

  sl::s3_offsets config{.bucket = "offsets",
                        .endpoint = the_s3().endpoint(),
                        .path_style = true,
                        .prefix = "test" + std::to_string(++s3_fixtures) + "/",
                        .access_key = the_s3().key(),
                        .secret_key = the_s3().secret()};

  std::unique_ptr<store> open() { return open(the_s3().port()); }
  std::unique_ptr<store> open(int port) {
    auto c = config;
    c.endpoint = the_s3().endpoint(port);
    return std::unique_ptr<store>{new store(sl::s3_offsets::open(c, sl::context{}))};
  }
  int port() const { return the_s3().port(); }
  void freeze(bool on) { the_s3().freeze(on); }

  /// The group's object itself.
  sl::detail::s3::object object(std::string const& group = "billing") const {
    sl::detail::s3::object o{sl::detail::s3::settings_of(config)};
    o.select(group);
    return o;
  }
  void forget(std::string const& group, sl::topic_partition const& of) {
    auto o = object(group);
    o.newest(contract::soon()).topics.at({group, of.topic}).at(static_cast<std::size_t>(of.partition)).there = false;
    CHECK(o.publish(contract::soon()) == sl::detail::publication::yes);
  }
  std::vector<std::string> causes() {
    std::vector<std::string> all;
    auto const now = object().newest(contract::soon());
    for (auto const& j : now.jumps) all.push_back(j.cause);
    return all;
  }
};
