/// \file delivery/on_empty_batches_too.hpp  A handler that is called at each interval, records or not.
#pragma once
#include <sluice/batch.hpp>

#include <type_traits>
#include <utility>

namespace sluice { inline namespace v0 {

/// Of a transactional handler: it is called at each end of micro_batch.interval with all partitions that are this consumer's and
/// are read, `from` equal to `until` where there was nothing. Each partition's fence is checked as always, so what a consumer
/// writes that has lost its partitions is not kept. Where a commit without any record has an unknown outcome it counts as
/// done: what depends on it must be found in the database again, as state is.
///
/// Any handler type with a member `wants_empty_batches` that is true has the same; those that the operators make do, where they
/// need it. Without an interval, and with other deliveries, nothing changes.
template <class F>
class on_empty_batches_too {
  F f_;

 public:
  static constexpr bool wants_empty_batches = true;

  explicit on_empty_batches_too(F f) : f_(std::move(f)) {}

  template <class Transaction>
  auto operator()(batch const& b, Transaction& tx) -> std::invoke_result_t<F&, batch const&, Transaction&> {
    return f_(b, tx);
  }
};

}}  // namespace sluice::v0
