/// \file offset_store/state_read.hpp  A group's positions out of a whole state, for the stores that keep one.
#pragma once
#include <sluice/detail/late.hpp>
#include <sluice/offset_store/file_generation.hpp>
#include <sluice/offset_store/kept_position.hpp>

namespace sluice { inline namespace v0 { namespace detail {

/// `id`: of the local store that the state is in.
template <class State>
late<std::vector<kept_position>, State> positions_in(State const& state, std::string const& group,
                                                     std::string const& id = {}) {
  late<std::vector<kept_position>, State> all;
  for (auto const& [key, partitions] : state.topics) {
    if (key.group != group) continue;
    for (std::size_t i = 0; i < partitions.size(); ++i)
      if (auto const& p = partitions[i]; p.there)
        all.push_back({{key.topic, static_cast<std::int32_t>(i)}, p.next, p.log, p.owner.nonce != 0, id});
  }
  return all;
}

}}}  // namespace sluice::v0::detail
