/// \file detail/turn_state.hpp  What the steps of one batch share while a delivery runs.
#pragma once
#include <sluice/detail/consumer_parts.hpp>

namespace sluice { inline namespace v0 { namespace detail {

template <class Slots>
struct turn_state {
  using traits = engine_traits<Slots>;
  using transaction = typename traits::transaction;

  consumer_parts<Slots>& all;
  handler_ref<transaction> const& handler;
  transaction* tx = nullptr;
  bool again = false;  ///< rolled back, and to be run again at once

  ~turn_state() { roll_back(); }

  void roll_back() {
    if constexpr (traits::in_transaction)
      if (tx) all.store.rollback(*std::exchange(tx, nullptr));
  }

  /// Counts the batch, tells of it, and lets it go.
  void finish() {
    auto& f = all.figures;
    auto& hand = all.hand;
    f.records = hand.records();
    if (!hand.empty()) {
      ++all.counts.batches;
      all.counts.records += f.records;
      all.counts.bytes += hand.bytes();
    }
    hand.clear(all.source);
    f.lag = all.total_lag();
    f.rate = all.allowed_rate();
    all.rate.completed({.time = f.time,
                        .records = f.records,
                        .processing_delay = f.handling + f.advancing,
                        .scheduling_delay = f.scheduling_delay});
    all.tell().on_batch(f);
    if (f.handling * 8 < all.max_poll && all.max_records_now < all.batching.max_records)
      all.max_records_now = std::min(all.batching.max_records, all.max_records_now * 2);
  }
};

/// Growing with each attempt, with jitter: 50 ms to 5 s.
template <class Random>
std::chrono::milliseconds wait_after(unsigned attempts, Random& random) {
  auto const ceiling = std::min<unsigned>(100u << std::min(attempts - 1, 6u), 5'000u);
  return std::chrono::milliseconds{ceiling / 2 + random() % (ceiling / 2)};
}

}}}  // namespace sluice::v0::detail
