/// \file testing/simulation/due_events.hpp  What happens by itself, later: in the order of time, then as it was noted.
#pragma once
#include <sluice/testing/simulation/schedule.hpp>

#include <algorithm>
#include <optional>

namespace sluice { inline namespace v0 { namespace testing { namespace simulated {

struct scheduled_event {
  std::int64_t at;
  void (*run)(void*, std::int64_t);
  void* of;
  std::int64_t what;
};

class due_events {
  list<scheduled_event> events_{};  // as they were noted

  static bool before(scheduled_event const& a, scheduled_event const& b) { return a.at < b.at; }
  auto first() const { return std::min_element(events_.begin(), events_.end(), before); }

 public:
  void clear() { events_.clear(); }
  void add(scheduled_event const& e) { events_.push_back(e); }
  std::int64_t next_at() const { return events_.empty() ? never : first()->at; }

  /// Taken out; none: nothing is due yet.
  std::optional<scheduled_event> take(std::int64_t now) {
    if (next_at() > now) return {};
    auto const at = first();
    auto const e = *at;
    events_.erase(at);
    return e;
  }
};

}}}}  // namespace sluice::v0::testing::simulated
