/// \file on_failure/skip.hpp  A record that can't be handled is left out, and that it was is recorded.
#pragma once
#include <sluice/policy.hpp>

namespace sluice { inline namespace v0 {

/// With at_most_once it is only counted. Otherwise a row in the store's own list (`<table>_skipped`), in the transaction
/// that advances over it: topic, partition, offset, error, attempts. With `each` one record; without, the whole batch.
struct skip {
  using slot = on_failure_slot;
  static constexpr bool skips = true;
};

}}  // namespace sluice::v0
