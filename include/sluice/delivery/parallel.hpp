/// \file delivery/parallel.hpp  The partitions of a batch handled side by side, in order within each.
#pragma once
#include <sluice/batch.hpp>
#include <sluice/delivery/each.hpp>
#include <sluice/detail/workers.hpp>

#include <memory>
#include <type_traits>
#include <utility>

namespace sluice { inline namespace v0 {

/// `parallel<N>(f)`: calls `f(batch)` once for each partition of a batch, on N threads: the one that calls step(), and
/// N - 1 that live as long as the handler. Records of one partition stay in order and on one thread; one advance follows
/// for all, after the last call has ended.
///
///     consumer.run(stop, sl::parallel<4>([&](sl::batch const& orders) { … }));
///
/// `f` is called by several threads at once, so what it shares between partitions is its own to guard. Where calls throw,
/// all others still end, and the exception of the first partition in the batch's order is the handler's: the failure is
/// the whole batch's. Not with `transactional`: a transaction is one connection. Wrap it in assume_idempotent where it is.
template <unsigned N, class F>
class parallel_handler {
  static_assert(N > 0, "sluice: parallel<N> needs at least one thread");
  static_assert(!detail::is_each<F>,
                "sluice: parallel calls its handler with one partition's batch, and each(...) is for one record after "
                "another; loop over the batch inside, or leave parallel out");

  std::unique_ptr<detail::workers> workers_ = std::make_unique<detail::workers>(N - 1);
  F f_;

 public:
  using has_no_transaction = void;

  /// Throws std::system_error where a thread can't be had.
  explicit parallel_handler(F f) : f_(std::move(f)) {}

  void operator()(batch const& all) {
    static_assert(std::is_invocable_v<F&, batch const&>,
                  "sluice: parallel takes a handler void(batch const&), called with one partition's records");
    static_assert(std::is_void_v<std::invoke_result_t<F&, batch const&>>,
                  "sluice: a handler returns void, what it returned would be dropped; throw to say that it failed");
    auto const partitions = all.partitions();
    workers_->run(partitions.size(), [&](std::size_t i) { f_(partitions[static_cast<std::ptrdiff_t>(i)]); });
  }
};

template <unsigned N, class F>
parallel_handler<N, F> parallel(F f) {
  return parallel_handler<N, F>{std::move(f)};
}

}}  // namespace sluice::v0
