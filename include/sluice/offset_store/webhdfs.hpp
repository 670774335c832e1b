/// \file offset_store/webhdfs.hpp  Offsets in HDFS, by its REST interface: numbered files in a folder for each group.
#pragma once
#include <sluice/offset_store/state_store.hpp>
#include <sluice/offset_store/webhdfs_folder.hpp>

namespace sluice { inline namespace v0 {

using webhdfs_offset_store = basic_state_store<detail::webhdfs::folder>;

/// Goes with at_most_once, at_least_once and idempotent. An advance of all partitions is one small file and some six requests,
/// so it suits batches that take seconds rather than milliseconds.
///
/// The server is the active NameNode, or an HttpFS before HDFS: tested with Hadoop 3.4.1's, users by name. Before another file
/// system a rename may replace files, and then offsets are lost. `directory` must be there, and the user may read, write and
/// enter it; a group's files lie in DIRECTORY/GROUP. What was acknowledged is in the NameNode's journal; of the blocks HDFS's
/// own replication takes care, and a DataNode writes them to its disk at once only with dfs.datanode.synconclose.
///
/// Kerberos is not spoken: where it is asked for, give a delegation token, which is sent with each request, so use https. No
/// token is ever printed. Requests go to hosts that the server names for the content of files, and to no others.
struct webhdfs_offsets {
  using slot = offset_store_slot;
  using must_be_configured = void;
  using runtime = webhdfs_offset_store;

  std::string address{};                    ///< "http://NAMENODE:9870", or https
  std::string directory{};                  ///< such as "/user/billing/offsets"
  std::string user{};                       ///< sent as user.name, for servers that believe it; or:
  std::string token{};                      ///< a delegation token; or, so that no source text holds it:
  std::string token_file{};                 ///< a file that holds it, read for each request
  std::string token_variable{};             ///< the name of an environment variable that holds it
  std::string ca_file{};                    ///< certificates of authorities, PEM; empty: the system's
  std::chrono::milliseconds timeout{5000};  ///< for connecting, and for the whole of opening
  bool mirror = true;                       ///< progress is shown in the source's group too, best effort

  /// Throws error(bad_configuration), store_error(store_unavailable, bad_configuration).
  template <class Context = context>
  static runtime open(webhdfs_offsets const& self, Context const& c);
};

template <class Context>
webhdfs_offsets::runtime webhdfs_offsets::open(webhdfs_offsets const& self, Context const& c) {
  detail::webhdfs::folder f{detail::webhdfs::settings_of(self)};
  f.probe(std::chrono::steady_clock::now() + self.timeout);
  return runtime{std::move(f), c.group, self.mirror, c.log};
}

}}  // namespace sluice::v0
