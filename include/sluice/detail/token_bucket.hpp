/// \file detail/token_bucket.hpp  Rates of records in whole numbers, so that no fraction is lost, and a token bucket.
#pragma once
#include <sluice/error.hpp>
#include <sluice/offset.hpp>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <string>

namespace sluice { inline namespace v0 { namespace detail {

/// Throws bad_configuration unless `value` is a number from `least` to `most`.
inline double checked(std::string const& key, double value, double least, double most, std::string const& remedy) {
  if (value >= least && value <= most) return value;
  char text[160];
  std::snprintf(text, sizeof text, " is %g, but must be a number from %g to %g: ", value, least, most);
  throw error(errc::bad_configuration, key + text + remedy);
}

/// Records and a part of one: `femto` counts 10^-15 of a record, from 0 to below 10^15.
struct amount {
  static constexpr std::int64_t one = 1'000'000'000'000'000;
  std::int64_t records = 0;
  std::int64_t femto = 0;

  friend amount operator+(amount a, amount b) {
    auto const parts = a.femto + b.femto;
    return {a.records + b.records + parts / one, parts % one};
  }
  friend auto operator<=>(amount const&, amount const&) = default;
};

/// So many records each second, in millionths: what a user writes in decimals is meant exactly, 33.3/s are 333 in 10 s.
class record_rate {
  std::int64_t whole_ = 0;
  std::int64_t micro_ = 0;

 public:
  static constexpr double least = 1e-6, most = 1e9;

  record_rate() = default;
  record_rate(std::string const& key, double per_second, std::string const& remedy) {
    auto const all = std::llround(checked(key, per_second, least, most, remedy) * 1e6);
    whole_ = all / 1'000'000;
    micro_ = all % 1'000'000;
  }

  /// What comes in `t` (not negative), exactly.
  amount over(std::chrono::nanoseconds t) const {
    auto const s = t.count() / 1'000'000'000;
    auto const ns = t.count() % 1'000'000'000;
    amount const of_whole{whole_ * s + whole_ * ns / 1'000'000'000, whole_ * ns % 1'000'000'000 * 1'000'000};
    amount const of_micro{micro_ * s / 1'000'000, micro_ * s % 1'000'000 * 1'000'000'000};
    return of_whole + of_micro + amount{0, micro_ * ns};
  }
};

/// In any time t no more than rate × t + burst is taken. The burst is what comes in `fill`, but at least one record;
/// a new bucket is full. A clock that stands still adds nothing, a long pause no more than the burst.
class token_bucket {
  record_rate rate_;
  amount burst_;

 public:
  struct level {
    amount left{};
    time_point at{};
  };

  token_bucket() = default;
  token_bucket(record_rate rate, std::chrono::nanoseconds fill)
      : rate_(rate), burst_(std::max(amount{1, 0}, rate.over(fill))) {}

  level full(time_point now) const { return {burst_, now}; }
  bool is_full(level l, time_point now) const { return filled(l, now).left == burst_; }
  /// How many whole records may be taken now.
  std::size_t available(level l, time_point now) const {
    return static_cast<std::size_t>(std::max<std::int64_t>(0, filled(l, now).left.records));
  }
  level take(level l, time_point now, std::size_t records) const {
    l = filled(l, now);
    l.left.records -= static_cast<std::int64_t>(records);
    return l;
  }

 private:
  level filled(level l, time_point now) const {
    if (now <= l.at) return l;
    return {std::min(l.left + rate_.over(now - l.at), burst_), now};
  }
};

}}}  // namespace sluice::v0::detail
