/// \file rate_limit/shed_load.hpp  Reads everything that comes and drops what is more than a rate: the oldest first.
#pragma once
#include <sluice/detail/lane_memory.hpp>
#include <sluice/detail/late.hpp>
#include <sluice/detail/token_bucket.hpp>
#include <sluice/rate_limit/concept.hpp>

#include <algorithm>

namespace sluice { inline namespace v0 {

/// For streams whose old records are worth less than new ones: the consumer never falls behind; what it can't handle is
/// dropped, counted and told. Since records are lost it goes with at_most_once only.
/// Of each partition a batch keeps its newest records: in any time t no more than rate × t + burst, where the burst is
/// what comes in one second, or in a batch interval that is longer. From 0.000001 to 10^9 records each second.
/// Throws error(bad_configuration) on opening where the rate is missing or no such number.
struct shed_load {
  using slot = rate_limit_slot;
  using must_be_configured = void;
  static constexpr bool drops_records = true;
  double records_per_second = 0;  ///< that are kept of each partition

  template <class Late>
  class basic_runtime {
    detail::token_bucket bucket_;
    detail::lane_memory<detail::late<detail::token_bucket::level, Late>> lanes_{};

   public:
    basic_runtime(detail::record_rate rate, std::chrono::milliseconds batch_interval)
        : bucket_(rate, std::max<std::chrono::milliseconds>(std::chrono::seconds{1}, batch_interval)) {}

    void allow(time_point now, std::span<load const> loads, std::span<std::size_t> quota) {
      lanes_.align(
          loads, [&] { return bucket_.full(now); }, [&](auto const& level) { return !bucket_.is_full(level, now); });
      for (auto& q : quota) q = no_limit;
    }
    /// How many of the `took` records of this partition, the newest ones, are kept; the owner drops the others. Asked
    /// once for each partition of a batch, after it was taken.
    std::size_t keep(time_point now, load const& of, std::size_t took) {
      auto* known = lanes_.find(of);
      auto& level = known ? *known : lanes_.add(of, bucket_.full(now));
      auto const kept = std::min(took, bucket_.available(level, now));
      level = bucket_.take(level, now, kept);
      return kept;
    }
    void taken(time_point, std::span<load const>, std::span<std::size_t const>) {}
    void completed(batch_figures const&) {}
  };
  using runtime = basic_runtime<void>;

  template <class Context = context>
  static detail::late<runtime, Context> open(shed_load const& self, Context const& context) {
    return {detail::record_rate("shed_load.records_per_second", self.records_per_second,
                                "records each second that are kept of each partition"),
            context.batch_interval};
  }
};

}}  // namespace sluice::v0
