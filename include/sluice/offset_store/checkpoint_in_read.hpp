/// \file offset_store/checkpoint_in_read.hpp  Positions and state in a checkpoint on a server, read by another program without claiming anything.
///
/// As checkpoint_read.hpp. Rights to read and list are enough.
#pragma once
#include <sluice/offset_store/checkpoint_in.hpp>
#include <sluice/offset_store/checkpoint_read.hpp>

namespace sluice { inline namespace v0 {

namespace detail {
template <class Place>
auto files_to_read(checkpoint_in<Place> const& config) {
  using place = checkpoint_place<Place>;
  return hosted_files<typename place::server>{place::reading(config.place)};
}
}  // namespace detail

/// The newest generation: positions, values, rewinds, program, segments.
template <class Place>
checkpoint_generation read_checkpoint(checkpoint_in<Place> const& config) {
  auto const files = detail::files_to_read(config);
  return detail::checkpoint_folder<std::remove_const_t<decltype(files)>>{files, detail::told(config).directory}
      .newest();
}

/// See kept_position.hpp.
template <class Place, class Context = context>
std::vector<kept_position> read_positions(checkpoint_in<Place> const& config, Context const& c, time_point by) {
  auto files = detail::files_to_read(config);
  files.limit(by);
  detail::checkpoint_folder<decltype(files)> folder{files, detail::told(config).directory};
  auto const& state = folder.newest();
  if (folder.number() == 0) return {};
  return detail::positions_in(state, c.group);
}

/// Calls f(partition, key, value) for each key of the group's keyed_state of that name, by partition.
template <class Key, class Value, class Place, class F>
void for_each_state(checkpoint_in<Place> const& config, context const& c, std::string_view name, F f) {
  detail::each_state_row(detail::files_to_read(config), detail::told(config).directory, c.group, name,
                         detail::decoded_row<Key, Value>(name, f));
}

}}  // namespace sluice::v0
