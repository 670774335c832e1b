/// \file delivery/at_least_once.hpp  Handle; then advance: no record is lost, some may be handled twice.
#pragma once
#include <sluice/delivery/concept.hpp>

namespace sluice { inline namespace v0 {

/// A record comes twice only after a crash, a revoke, an advance whose outcome stayed unknown, or a retry.
struct at_least_once {
  using slot = delivery_slot;

  static void deliver(turn auto& batch) {
    if (batch.handle()) batch.advance();
  }
};

}}  // namespace sluice::v0
