/// \file offset_store/file_read.hpp  A group's positions in a folder of file_offsets, read without claiming them.
#pragma once
#include <sluice/offset_store/file.hpp>
#include <sluice/offset_store/kept_position.hpp>

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
  detail::late<std::vector<kept_position>, Context> all;
  if (folder.number() == 0) return all;
  auto const id = detail::hex16(state.id[0]) + detail::hex16(state.id[1]);
  for (auto const& [key, partitions] : state.topics) {
    if (key.group != c.group) continue;
    for (std::size_t i = 0; i < partitions.size(); ++i)
      if (auto const& p = partitions[i]; p.there)
        all.push_back({{key.topic, static_cast<std::int32_t>(i)}, p.next, p.log, p.owner.nonce != 0, id});
  }
  return all;
}

}}  // namespace sluice::v0
