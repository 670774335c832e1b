/// \file webhdfs_support.hpp  For the tests of what is kept in HDFS: one server for all of them, a directory for each fixture.
#pragma once
#include <sluice/offset_store/webhdfs.hpp>

#include "contract.hpp"
#include "servers/hdfs.hpp"

namespace sl = sluice;

inline servers::hdfs& the_hdfs() {
  static servers::hdfs server;
  return server;
}

inline int webhdfs_fixtures = 0;

struct webhdfs_fixture {
  using store = sl::webhdfs_offset_store;
  static constexpr std::size_t most_round_trips = 4;  // at the NameNode; the file's content goes to a DataNode

  sl::webhdfs_offsets config{
      .address = the_hdfs().address(), .directory = "/test" + std::to_string(++webhdfs_fixtures), .user = "sluice"};

  webhdfs_fixture() {
    the_hdfs().ask("PUT", config.directory + "?op=MKDIRS");
    the_hdfs().ask("PUT", config.directory + "?op=SETOWNER&owner=sluice");
  }

  std::unique_ptr<store> open() { return open(the_hdfs().port()); }
  std::unique_ptr<store> open(int port) {
    auto c = config;
    c.address = the_hdfs().address(port);
    return std::unique_ptr<store>{new store(sl::webhdfs_offsets::open(c, sl::context{}))};
  }
  int port() const { return the_hdfs().port(); }
  void freeze(bool on) { the_hdfs().freeze(on); }
  void restart() { the_hdfs().restart(); }

  sl::detail::webhdfs::folder folder(std::string const& group = "billing") const {
    sl::detail::webhdfs::folder f{sl::detail::webhdfs::settings_of(config)};
    f.select(group);
    return f;
  }
  void forget(std::string const& group, sl::topic_partition const& of) {
    auto f = folder(group);
    f.newest(contract::soon()).topics.at({group, of.topic}).at(static_cast<std::size_t>(of.partition)).there = false;
    CHECK(f.publish(contract::soon()) == sl::detail::publication::yes);
  }
  std::vector<std::string> causes() {
    std::vector<std::string> all;
    auto const now = folder().newest(contract::soon());
    for (auto const& j : now.jumps) all.push_back(j.cause);
    return all;
  }
};

inline servers::http_fs const& the_http_fs() {
  static servers::http_fs const server{the_hdfs()};
  return server;
}

/// All that the library asks goes to an HttpFS.
struct http_fs_fixture : webhdfs_fixture {
  http_fs_fixture() { config.address = the_http_fs().address(); }
  std::unique_ptr<store> open() { return webhdfs_fixture::open(port()); }
  using webhdfs_fixture::open;
  int port() const { return the_http_fs().port(); }
};
