/// \file statistics.hpp  What a consumer has done so far, as other threads may ask for it.
#pragma once
#include <sluice/offset.hpp>

#include <cstdint>
#include <mutex>

namespace sluice { inline namespace v0 {

/// Counts since construction, as of the last completed step().
struct stats {
  std::uint64_t batches = 0;
  std::uint64_t records = 0;  ///< handled or set aside, and stored
  std::uint64_t bytes = 0;    ///< of their keys and values
  std::uint64_t rebalances = 0;
  std::uint64_t position_errors = 0;
  std::uint64_t refused = 0;  ///< advances of one partition that another owner's fence refused
  std::uint64_t unknown = 0;  ///< advances of one partition whose outcome was never learned
  std::uint64_t retries = 0;
  std::uint64_t store_failures = 0;
  std::uint64_t skipped = 0;       ///< records
  std::uint64_t dead_letters = 0;  ///< records
  std::uint64_t shed = 0;          ///< records that shed_load dropped
  /// Records that at_most_once gave up: advance refused or unknown, handler threw, revoked in hand; and those that a source
  /// had in memory alone when the consumer closed.
  std::uint64_t lost = 0;
  std::uint64_t slow_handlers = 0;
  std::size_t partitions = 0;       ///< ours now
  std::int64_t lag = -1;            ///< over them; -1: not known
  double rate = 0;                  ///< records a second that the rate limit allows; 0: no limit
  time_point last_step{};           ///< when it ended
  std::chrono::nanoseconds age{0};  ///< of that, when asked: a hanging handler shows here
};

namespace detail {

/// One writer, any readers; locked once a step.
class published_stats {
  mutable std::mutex guard_;
  stats value_{};

 public:
  void publish(stats const& s) {
    std::lock_guard const lock{guard_};
    value_ = s;
  }
  stats read(time_point now) const {
    std::lock_guard const lock{guard_};
    auto s = value_;
    s.age = now - s.last_step;
    return s;
  }
};

}  // namespace detail
}}  // namespace sluice::v0
