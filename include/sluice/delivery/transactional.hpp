/// \file delivery/transactional.hpp  Begin; handle; advance in the same transaction; commit: results and offset are one.
#pragma once
#include <sluice/delivery/concept.hpp>

namespace sluice { inline namespace v0 {

/// What the handler writes through its transaction is there exactly once for each record, and never without the offset.
/// The handler itself may run twice (its transaction was rolled back): effects outside the transaction are the user's.
struct transactional {
  using slot = delivery_slot;

  static void deliver(turn auto& batch) {
    do {
      if (batch.begin() && batch.handle()) batch.commit();
    } while (batch.runs_again());
  }
};

}}  // namespace sluice::v0
