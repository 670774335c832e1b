/// \file rate_limit/pid_backpressure.hpp  Lets in as much as the handler proves to manage: Spark's back-pressure.
#pragma once
#include <sluice/detail/lane_memory.hpp>
#include <sluice/detail/late.hpp>
#include <sluice/detail/share.hpp>
#include <sluice/detail/token_bucket.hpp>
#include <sluice/rate_limit/concept.hpp>
#include <sluice/rate_limit/pid_estimator.hpp>

#include <algorithm>
#include <cmath>
#include <vector>

namespace sluice { inline namespace v0 {

/// One rate for all partitions together, estimated after each batch by pid_estimator (formula and parameters are
/// Spark's). A batch may take rate × interval records, shared among its partitions by lag:
/// - at least one record for each partition that lags, even where that is more than the total;
/// - a partition whose lag is not known counts like the mean of the known ones; one without lag gets nothing;
/// - never more of a partition than max_rate_per_partition; what that cuts off goes to the others;
/// - fractions are carried on, of the total, of each share and of the cap; what was not used is not saved.
struct pid_backpressure {
  using slot = rate_limit_slot;
  std::chrono::milliseconds interval{0};  ///< of the batches; 0: micro_batch's, or 1 s where that gives none
  double initial_rate = 0;                ///< records each second in all, until the first estimate; 0: no limit yet
  double proportional = 1;                ///< of the error: rate less what was handled
  double integral = 0.2;                  ///< of the backlog that the scheduling delay stands for
  double derivative = 0;                  ///< of the change of the error, in seconds
  double min_rate = 100;                  ///< records each second in all; no estimate is lower
  double max_rate_per_partition = 0;      ///< records each second; 0: no cap

  /// The length of batches where micro_batch gives none.
  static std::chrono::milliseconds wanted_interval(pid_backpressure const& self) {
    return self.interval.count() != 0 ? self.interval : std::chrono::milliseconds{1000};
  }

  template <class Late>
  class basic_runtime {
    struct memory {
      double carried = 0;        // of the share
      double carried_after = 0;  // the same, once this batch was taken
      detail::amount cap{};
    };
    double interval_;
    double rate_;
    bool capped_;
    detail::amount cap_;
    basic_pid_estimator<Late> estimator_;
    double carried_ = 0;  // of the total
    double carried_after_ = 0;
    std::chrono::nanoseconds taken_at_{0};
    std::chrono::nanoseconds ended_at_{0};
    detail::lane_memory<memory> lanes_{};
    detail::late<std::vector<detail::stake>, Late> stakes_{};
    std::vector<std::size_t> order_{};

    static constexpr std::int64_t plenty = 1'000'000'000'000'000;

    void align(std::span<load const> loads) {
      lanes_.align(loads, [] { return memory{}; }, [](memory const& m) { return m.carried != 0 || m.cap.femto != 0; });
    }
    std::int64_t cap(std::size_t i) { return capped_ ? (lanes_[i].cap + cap_).records : plenty; }

    void stake_claims(std::span<load const> loads) {
      double sum = 0;
      std::size_t known = 0;
      for (auto const& l : loads)
        if (l.lag && *l.lag > 0) sum += static_cast<double>(*l.lag), ++known;
      auto const mean = known == 0 ? 1. : sum / static_cast<double>(known);
      stakes_.assign(loads.size(), {});
      for (std::size_t i = 0; i < loads.size(); ++i) {
        auto& s = stakes_[i];
        auto const lag = loads[i].lag;
        s.weight = lag ? std::max(0., static_cast<double>(*lag)) : mean;
        s.most = s.weight > 0 ? std::min(cap(i), plenty) : 0;
        s.least = std::min<std::int64_t>(1, s.most);
        s.carried = lanes_[i].carried;
      }
    }

   public:
    basic_runtime(pid_backpressure const& p, std::chrono::milliseconds interval)
        : interval_(static_cast<double>(interval.count()) / 1000),
          rate_(detail::checked(
              "pid_backpressure.initial_rate", p.initial_rate, 0, basic_pid_estimator<Late>::highest,
              "records each second of all partitions together; 0 for no limit until the first estimate")),
          capped_(p.max_rate_per_partition != 0),
          cap_(capped_ ? detail::record_rate("pid_backpressure.max_rate_per_partition", p.max_rate_per_partition,
                                             "records each second of each partition; 0 for no cap")
                             .over(interval)
                       : detail::amount{}),
          estimator_(interval, p.proportional, p.integral, p.derivative, p.min_rate) {}

    void allow(time_point, std::span<load const> loads, std::span<std::size_t> quota) {
      align(loads);
      if (rate_ == 0) {
        for (std::size_t i = 0; i < loads.size(); ++i) quota[i] = capped_ ? static_cast<std::size_t>(cap(i)) : no_limit;
        return;
      }
      stake_claims(loads);
      auto const total = std::min(rate_ * interval_, static_cast<double>(plenty));
      auto const budget = std::floor(total + carried_);
      carried_after_ = total + carried_ - budget;
      detail::weigh(total, stakes_);
      detail::round_to(static_cast<std::int64_t>(budget), stakes_, order_);
      for (std::size_t i = 0; i < loads.size(); ++i) {
        quota[i] = static_cast<std::size_t>(stakes_[i].share);
        lanes_[i].carried_after = stakes_[i].carried;
      }
    }
    void taken(time_point now, std::span<load const> loads, std::span<std::size_t const>) {
      align(loads);
      for (std::size_t i = 0; i < loads.size(); ++i) {
        auto& lane = lanes_[i];
        lane.carried = lane.carried_after;
        if (capped_) lane.cap = {0, (lane.cap + cap_).femto};
      }
      carried_ = carried_after_;
      taken_at_ = now.time_since_epoch();
    }
    /// The end of the batch is told by the monotonic clock, not by batch_figures::time, which jumps when the machine's
    /// time is set. Batches come one after another, so each ends at least its own delay after the one before.
    void completed(batch_figures const& f) {
      if (f.processing_delay.count() <= 0) return;
      ended_at_ = std::max(taken_at_, ended_at_) + f.processing_delay;
      if (auto const rate = estimator_.update(ended_at_, f.records, f.processing_delay, f.scheduling_delay))
        rate_ = *rate;
    }

    /// Records each second of all partitions together, as they are let in now; 0: no limit yet.
    double rate() const { return rate_; }
  };
  using runtime = basic_runtime<void>;

  template <class Context = context>
  static detail::late<runtime, Context> open(pid_backpressure const& self, Context const& context) {
    return {self, context.batch_interval.count() > 0 ? context.batch_interval : wanted_interval(self)};
  }
};

}}  // namespace sluice::v0
