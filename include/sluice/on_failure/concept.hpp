/// \file on_failure/concept.hpp  What is known about a record that a handler could not handle, and where it may go.
#pragma once
#include <sluice/offset_store/concept.hpp>
#include <sluice/record.hpp>

#include <string>

namespace sluice { inline namespace v0 {

/// A record set aside. The record is a view: it is valid during the call that takes the dead letter.
struct dead_letter {
  record what{};
  std::string error{};  ///< what() of the last failure
  unsigned attempts = 1;
  wall_time first{};  ///< when it failed for the first time
};

/// A store that can keep dead letters (and skips) in the transaction of the advance. `set_aside` keeps `letter` for the
/// advance of its partition that comes next, or for the transaction that is open; it becomes durable with it, or not at
/// all: rollback, or a refused advance of its partition, forgets it. `table` empty: the store's own list of skipped records.
template <class S>
concept sets_aside =
    requires(S& s, std::string const& table, dead_letter const& letter) { s.set_aside(table, letter); };

/// Where dead letters go that no store's transaction takes. `keep` may buffer; `flush` returns once all that was kept
/// is acknowledged and durable, and throws error(dead_letter_failed) where that can't be had by `by`. Only then is
/// anything advanced.
template <class D>
concept dead_letter_home = requires(D& d, dead_letter const& letter, time_point by) {
  d.keep(letter, by);
  d.flush(by);
};

}}  // namespace sluice::v0
