/// \file delivery/concept.hpp  What a delivery is: the order in which a batch is handled and its offsets are advanced.
#pragma once
#include <sluice/policy.hpp>

namespace sluice { inline namespace v0 {

/// The steps of one batch, as the consumer offers them to a delivery. Each answers whether to go on with this batch now;
/// after `false` the batch was finished another way, or stays in hand for a later step().
template <class T>
concept turn = requires(T& t) {
  { t.handle() } -> std::same_as<bool>;      // the handler, with what on_failure makes of its exceptions
  { t.advance() } -> std::same_as<bool>;     // from → until in the store; drops from the batch what was not applied
  { t.begin() } -> std::same_as<bool>;       // of a transaction
  { t.commit() } -> std::same_as<bool>;      // advance in it, then commit
  { t.runs_again() } -> std::same_as<bool>;  // rolled back, and to be run again at once
};

template <class D>
concept delivery = policy_for<D, delivery_slot>;

}}  // namespace sluice::v0
