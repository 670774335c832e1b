/// \file offset_store/file_read.hpp  A group's positions in a folder of file_offsets, read without claiming them.
#pragma once
#include <sluice/offset_store/file.hpp>
#include <sluice/offset_store/state_read.hpp>

namespace sluice { inline namespace v0 {

/// See kept_position.hpp. All of one moment: what the newest file says. Nothing here waits, so `by` is not looked at.
template <class Context = context>
detail::late<std::vector<kept_position>, Context> read_positions(file_offsets const& config, Context const& c,
                                                                 time_point /*by*/) {
  if (config.directory.empty())
    throw error{errc::bad_configuration,
                "file_offsets.directory is empty; name a folder, such as \"/var/lib/billing\""};
  detail::generation_folder<detail::late<detail::posix_files, Context>> folder{{}, config.directory};
  auto const& state = folder.newest();
  if (folder.number() == 0) return {};
  return detail::positions_in(state, c.group, detail::hex16(state.id[0]) + detail::hex16(state.id[1]));
}

}}  // namespace sluice::v0
