/// \file offset_store/checkpoint_unlocked.hpp  When a segment may be removed where nothing can be locked, so that none that counts ever is.
///
/// What no numbered file needs any more, and what a dead process left behind, is first listed in a numbered file as retired, stays
/// listed in the next one, and is removed before the one after that is published, which leaves it out. So whoever is about to
/// publish, on top of the newest numbered file, knows of a segment of their own: it is retired there, or gone, and is
/// written anew; or it is there, and then only a later numbered file could retire it, and that one would find it named.
#pragma once
#include <sluice/offset_store/checkpoint_generation.hpp>
#include <sluice/offset_store/hosted_files.hpp>

namespace sluice { inline namespace v0 { namespace detail {

class unlocked_segments {
  /// A level that no segment has: 16 to the 255th rows.
  static constexpr std::uint8_t may_go = 255;

  std::vector<std::uint64_t> left_behind_{};

  static bool names(std::vector<segment_ref> const& list, std::uint64_t id) {
    return std::any_of(list.begin(), list.end(), [&](auto const& ref) { return ref.id == id; });
  }

 public:
  /// Before anything is written: what is there and has no name by the next publication was left behind, or is written anew.
  template <class Place>
  void open(Place& place) {
    left_behind_ = place.all();
  }
  /// Asked after `state` was read.
  template <class Place>
  bool gone(checkpoint_generation const& state, std::uint64_t id, Place& place) const {
    return names(state.retired, id) || !place.is_there(id);
  }
  template <class Place>
  void retire(checkpoint_generation& state, Place& place) {
    std::vector<segment_ref> left;
    for (auto const& ref : state.retired) {
      if (ref.level == may_go && place.removed(ref.id)) continue;
      left.push_back(ref);
      left.back().level = may_go;
    }
    state.retired = std::move(left);
    for (auto const id : left_behind_)
      if (!names(state.segments, id) && !names(state.retired, id)) state.retired.push_back({.id = id});
  }
  void published() { left_behind_.clear(); }
};

}}}  // namespace sluice::v0::detail
