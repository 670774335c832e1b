/// \file offset_store/hbase_read.hpp  A group's positions in HBase, read without claiming them.
#pragma once
#include <sluice/offset_store/hbase.hpp>
#include <sluice/offset_store/state_read.hpp>

namespace sluice { inline namespace v0 {

/// See kept_position.hpp. All of one moment: what the group's cell says. A group that is only in the history has none yet.
template <class Context = context>
std::vector<kept_position> read_positions(hbase_offsets const& config, Context const& c, time_point by) {
  detail::hbase::state s{detail::hbase::settings_of(config)};
  s.select(c.group);
  return detail::positions_in(s.newest(by), c.group);
}

}}  // namespace sluice::v0
