/// \file offset_store/webhdfs_checkpoint.hpp  checkpoint_in<webhdfs_offsets>: offsets and state as files in a folder of HDFS.
///
/// DIRECTORY/generation.NUMBER and DIRECTORY/segments/segment.ID, each written under a temporary name and renamed.
#pragma once
#include <sluice/offset_store/checkpoint_in.hpp>
#include <sluice/offset_store/webhdfs.hpp>

namespace sluice { inline namespace v0 { namespace detail {

template <>
struct checkpoint_place<webhdfs_offsets> {
  using server = webhdfs::files_of;

  static std::string folder(webhdfs_offsets const& p) { return p.directory; }
  static server reading(webhdfs_offsets const& p) { return server{webhdfs::settings_of(p)}; }
  static server open(webhdfs_offsets const& p) {
    auto s = reading(p);
    s.requests().probe(std::chrono::steady_clock::now() + p.timeout);
    return s;
  }
};

}}}  // namespace sluice::v0::detail
