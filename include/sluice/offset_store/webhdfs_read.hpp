/// \file offset_store/webhdfs_read.hpp  A group's positions in HDFS, read without claiming them.
#pragma once
#include <sluice/offset_store/state_read.hpp>
#include <sluice/offset_store/webhdfs.hpp>

namespace sluice { inline namespace v0 {

/// See kept_position.hpp. All of one moment: what the newest file says.
template <class Context = context>
std::vector<kept_position> read_positions(webhdfs_offsets const& config, Context const& c, time_point by) {
  detail::webhdfs::folder f{detail::webhdfs::settings_of(config)};
  f.select(c.group);
  return detail::positions_in(f.newest(by), c.group);
}

}}  // namespace sluice::v0
