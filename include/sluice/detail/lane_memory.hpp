/// \file detail/lane_memory.hpp  What a rate limit remembers of each partition while lanes come and go.
#pragma once
#include <sluice/rate_limit/concept.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

namespace sluice { inline namespace v0 { namespace detail {

/// One State for each load, in the loads' order. While the loads stay the same nothing is allocated. A partition that
/// is claimed again keeps its State, so a claim gives no second burst.
template <class State>
class lane_memory {
  struct entry {
    topic_partition of{};
    std::uint64_t assignment = 0;
    State state{};
    bool taken_over = false;
  };
  std::vector<entry> entries_{};  // first those of the loads, then the absent ones that are kept
  std::size_t present_ = 0;
  std::size_t last_found_ = 0;

  static bool same(entry const& e, load const& l) { return e.assignment == l.assignment && e.of == *l.of; }
  static bool before(entry const& a, topic_partition const& of) { return a.of < of; }

 public:
  /// Makes `(*this)[i]` the State of loads[i]. `fresh()` makes one for a partition that is not remembered;
  /// `worth_keeping(state)` says whether that of an absent partition differs from a fresh one.
  template <class Fresh, class WorthKeeping>
  void align(std::span<load const> loads, Fresh fresh, WorthKeeping worth_keeping) {
    if (loads.size() == present_ && std::equal(loads.begin(), loads.end(), entries_.begin(),
                                               [](load const& l, entry const& e) { return same(e, l); }))
      return;
    std::sort(entries_.begin(), entries_.end(), [](entry const& a, entry const& b) { return a.of < b.of; });
    std::vector<entry> next;
    next.reserve(entries_.size() + loads.size());
    for (auto const& l : loads) {
      auto const old = std::lower_bound(entries_.begin(), entries_.end(), *l.of, before);
      if (old != entries_.end() && old->of == *l.of) {
        old->taken_over = true;
        next.push_back({*l.of, l.assignment, old->state});
      } else {
        next.push_back({*l.of, l.assignment, fresh()});
      }
    }
    for (auto& e : entries_)
      if (!e.taken_over && worth_keeping(e.state)) next.push_back(std::move(e));
    present_ = loads.size();
    entries_ = std::move(next);
  }

  State& operator[](std::size_t i) { return entries_[i].state; }
  /// The State of one load, or null. Cheap where loads are asked for in their order.
  State* find(load const& l) {
    for (std::size_t k = 0; k < entries_.size(); ++k) {
      auto const i = (last_found_ + k) % entries_.size();
      if (entries_[i].of != *l.of) continue;
      last_found_ = i + 1;
      return &entries_[i].state;
    }
    return nullptr;
  }
  State& add(load const& l, State state) {
    entries_.insert(entries_.begin() + static_cast<std::ptrdiff_t>(present_), {*l.of, l.assignment, std::move(state)});
    return entries_[present_++].state;
  }
  std::size_t remembered() const { return entries_.size(); }
};

}}}  // namespace sluice::v0::detail
