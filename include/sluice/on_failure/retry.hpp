/// \file on_failure/retry.hpp  Call the handler again, a bounded number of times, with growing waits; then something else.
#pragma once
#include <sluice/on_failure/stop.hpp>

#include <chrono>

namespace sluice { inline namespace v0 {

/// `times` calls more after the first failure, `backoff` before the first of them, doubled each time up to `ceiling`;
/// `then` when they are used up. step() returns `retrying` meanwhile, so the group membership stays alive. With `each`
/// only the failing record is tried again; a transaction is rolled back first.
///
///     sl::retry<>{.times = 5, .backoff = 200ms}                                     // then stop
///     sl::retry<sl::skip>{.times = 3}                                               // then skip
///     sl::retry<sl::dead_letter_topic>{.times = 5, .then = {.topic = "orders.dead"}}  // then a dead letter
template <class Then = stop>
struct retry {
  using slot = on_failure_slot;
  using then_policy = Then;
  static constexpr bool calls_again = true;

  unsigned times = 3;
  std::chrono::milliseconds backoff{100};
  std::chrono::milliseconds ceiling{10'000};
  Then then{};
};

}}  // namespace sluice::v0
