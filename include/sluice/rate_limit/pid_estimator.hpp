/// \file rate_limit/pid_estimator.hpp  Estimates from the last batches how many records each second can be handled.
#pragma once
#include <sluice/detail/late.hpp>
#include <sluice/detail/token_bucket.hpp>

#include <chrono>
#include <cstddef>
#include <optional>

namespace sluice { inline namespace v0 {

/// The estimator of Spark Streaming (org.apache.spark.streaming.scheduler.rate.PIDRateEstimator):
///
///     handled = records / processing delay
///     error   = rate − handled
///     overdue = scheduling delay × handled / batch interval
///     slope   = (error − error of the update before) / (end − end of the update before)
///     rate    = max(rate − proportional × error − integral × overdue − derivative × slope, min_rate)
///
/// Rates are records each second, times seconds. The first batch gives no estimate, only a start: rate = handled,
/// error = 0. Batches without records, without a processing delay, or that end no later than the one before are passed
/// over. The "integral" is the delay that is there now, not a sum of old errors, so there is nothing that can wind up: once
/// the delay is gone, so is its term. The result is always finite, from min_rate to `highest`.
template <class Late>
class basic_pid_estimator {
  double interval_, proportional_, integral_, derivative_, min_rate_;
  std::chrono::nanoseconds end_{0};
  double rate_ = 0;
  double error_ = 0;
  bool started_ = false;

 public:
  static constexpr double highest = 1e12;

  /// Throws error(bad_configuration), naming the key of pid_backpressure.
  basic_pid_estimator(std::chrono::milliseconds interval, double proportional, double integral, double derivative,
                      double min_rate)
      : interval_(detail::checked("pid_backpressure.interval", static_cast<double>(interval.count()), 1, 86'400'000,
                                  "milliseconds that a batch should take") /
                  1000),
        proportional_(gain("proportional", proportional)),
        integral_(gain("integral", integral)),
        derivative_(gain("derivative", derivative)),
        min_rate_(
            detail::checked("pid_backpressure.min_rate", min_rate, 1e-6, highest,
                            "records each second that are always let in, so that there is something to learn from")) {}

  /// `end`: when the batch was done, since any fixed point of time. Returns the new rate, where there is one.
  detail::late<std::optional<double>, Late> update(std::chrono::nanoseconds end, std::size_t records,
                                                   std::chrono::nanoseconds processing_delay,
                                                   std::chrono::nanoseconds scheduling_delay) {
    using seconds = detail::late<std::chrono::duration<double>, Late>;
    if (records == 0 || processing_delay.count() <= 0 || (started_ && end <= end_)) return {};
    auto const handled = std::min(static_cast<double>(records) / seconds(processing_delay).count(), highest);
    auto const since = seconds(end - end_).count();
    end_ = end;
    if (!started_) {
      started_ = true;
      rate_ = handled;
      return {};
    }
    auto const error = rate_ - handled;
    auto const overdue = std::max(0., seconds(scheduling_delay).count()) * handled / interval_;
    auto const slope = (error - error_) / since;
    auto const rate = rate_ - proportional_ * error - integral_ * overdue - derivative_ * slope;
    rate_ = rate > min_rate_ ? std::min(rate, highest) : min_rate_;
    error_ = error;
    return rate_;
  }

 private:
  static double gain(char const* key, double value) {
    return detail::checked(std::string("pid_backpressure.") + key, value, 0, 1e6, "how strongly the rate is corrected");
  }
};
using pid_estimator = basic_pid_estimator<void>;

}}  // namespace sluice::v0
