/// \file output/webhdfs_files.hpp  files_by_range and objects_by_range in HDFS, by its REST interface.
#pragma once
#include <sluice/offset_store/webhdfs_client.hpp>
#include <sluice/output/files.hpp>

namespace sluice { inline namespace v0 {

/// Which HDFS, and who asks: as in webhdfs_offsets.
struct webhdfs_server {
  std::string address{};         ///< "http://NAMENODE:9870", or https; no HttpFS: it can't name a folder for certain
  std::string user{};            ///< sent as user.name, for servers that believe it; or:
  std::string token{};           ///< a delegation token; or, so that no source text holds it:
  std::string token_file{};      ///< a file that holds it, read for each request
  std::string token_variable{};  ///< the name of an environment variable that holds it
  std::string ca_file{};         ///< certificates of authorities, PEM; empty: the system's
  std::chrono::milliseconds timeout{5000};  ///< for a request; for a file a second more for each mebibyte
};

/// The files of an output, and of its readers, are there instead of on a local disk; all else is as files_by_range says:
///
///     sl::webhdfs_server const hdfs{.address = "http://namenode:9870", .user = "orders"};
///     sl::files_by_range out{"/data/orders", sl::value_lines{}, ".txt", sl::webhdfs_files{hdfs}};
///     sl::objects_by_range objects{"/data/orders", sl::record_codec{}, ".objects", sl::webhdfs_files{hdfs}};
///     sl::read_files("/data/orders", {"orders", 3}, sl::webhdfs_files{hdfs});
///
/// A file is written under a temporary name and gets its own by a rename that HDFS refuses where the name is taken: four
/// requests for each partition in the batch. Who goes on where another one was sets the time of that one's newest folders, and needs
/// the right to write them. `directory` is made where it is not there. Throws error(bad_configuration); store_error later:
/// also bad_configuration, of a server that would put a renamed folder into one whose name is taken, which is tried once.
class webhdfs_files : public detail::hosted_files<detail::webhdfs::files_of> {
 public:
  explicit webhdfs_files(webhdfs_server const& server)
      : hosted_files{detail::webhdfs::files_of{detail::webhdfs::settings_of(server)}} {}
};

}}  // namespace sluice::v0
