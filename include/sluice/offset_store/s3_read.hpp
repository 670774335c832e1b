/// \file offset_store/s3_read.hpp  A group's positions in S3, read without claiming them.
#pragma once
#include <sluice/offset_store/s3.hpp>
#include <sluice/offset_store/state_read.hpp>

namespace sluice { inline namespace v0 {

/// See kept_position.hpp. All of one moment. Needs the right to read the group's object only.
template <class Context = context>
std::vector<kept_position> read_positions(s3_offsets const& config, Context const& c, time_point by) {
  detail::s3::object o{detail::s3::settings_of(config)};
  o.select(c.group);
  return detail::positions_in(o.newest(by), c.group);
}

}}  // namespace sluice::v0
