/// \file rate_limit/max_rate_per_partition.hpp  At most so many records each second from each partition.
#pragma once
#include <sluice/detail/lane_memory.hpp>
#include <sluice/detail/late.hpp>
#include <sluice/detail/token_bucket.hpp>
#include <sluice/rate_limit/concept.hpp>

namespace sluice { inline namespace v0 {

/// The same limit for every partition, from 0.000001 to 10^9 records each second, exact to a millionth of a record.
/// - With a batch interval each batch may take rate × interval of each partition; fractions are carried on (at 2.5 a
///   batch: 2, 3, 2, 3), what was not used is not saved. Three partitions × 4 s × 100/s are 1,200 records.
/// - Without one it is a token bucket: in any time t no more than rate × t, and a burst of what comes in one second.
/// A partition that is lost and claimed again goes on where it was: a rebalance is no second burst.
/// Throws error(bad_configuration) on opening where the rate is missing or no such number.
struct max_rate_per_partition {
  using slot = rate_limit_slot;
  using must_be_configured = void;
  double records_per_second = 0;

  template <class Late>
  class basic_runtime {
    struct memory {
      detail::token_bucket::level level{};
      detail::amount carried{};
    };
    bool by_batch_;
    detail::amount per_batch_;
    detail::token_bucket bucket_;
    detail::lane_memory<memory> lanes_{};

    void align(time_point now, std::span<load const> loads) {
      lanes_.align(
          loads, [&] { return memory{bucket_.full(now), {}}; },
          [&](memory const& m) { return by_batch_ ? m.carried.femto != 0 : !bucket_.is_full(m.level, now); });
    }

   public:
    basic_runtime(detail::record_rate rate, std::chrono::milliseconds batch_interval)
        : by_batch_(batch_interval.count() > 0),
          per_batch_(rate.over(batch_interval)),
          bucket_(rate, std::chrono::seconds{1}) {}

    void allow(time_point now, std::span<load const> loads, std::span<std::size_t> quota) {
      align(now, loads);
      for (std::size_t i = 0; i < loads.size(); ++i)
        quota[i] = by_batch_ ? static_cast<std::size_t>((lanes_[i].carried + per_batch_).records)
                             : bucket_.available(lanes_[i].level, now);
    }
    void taken(time_point now, std::span<load const> loads, std::span<std::size_t const> took) {
      align(now, loads);
      for (std::size_t i = 0; i < loads.size(); ++i) {
        auto& [level, carried] = lanes_[i];
        if (by_batch_)
          carried = {0, (carried + per_batch_).femto};
        else
          level = bucket_.take(level, now, took[i]);
      }
    }
    void completed(batch_figures const&) {}
  };
  using runtime = basic_runtime<void>;

  template <class Context = context>
  static detail::late<runtime, Context> open(max_rate_per_partition const& self, Context const& context) {
    return {detail::record_rate("max_rate_per_partition.records_per_second", self.records_per_second,
                                "records each second of each partition; for no limit leave the policy out"),
            context.batch_interval};
  }
};

}}  // namespace sluice::v0
