/// \file delivery/at_most_once.hpp  Advance; then handle what was applied: no record is handled twice, some may be lost.
#pragma once
#include <sluice/delivery/concept.hpp>

namespace sluice { inline namespace v0 {

/// Lost are records of batches in hand at a crash or a revoke, those that a handler threw at, and those whose advance was
/// refused or unknown. After a throw step() goes on behind the batch.
struct at_most_once {
  using slot = delivery_slot;

  static void deliver(turn auto& batch) {
    if (batch.advance()) batch.handle();
  }
};

}}  // namespace sluice::v0
