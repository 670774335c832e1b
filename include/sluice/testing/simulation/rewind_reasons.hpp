/// \file testing/simulation/rewind_reasons.hpp  When a position may be set, and where: what clients, brokers and programs have said.
#pragma once
#include <algorithm>
#include <sluice/source/kafka_config.hpp>
#include <sluice/testing/simulation/record_log.hpp>

namespace sluice { inline namespace v0 { namespace testing { namespace simulated {

/// Of one partition, since its position was set last; what programs seek for ever.
class rewind_reasons {
  struct ends {
    std::int64_t low = 0, high = 0;
  };
  static constexpr std::size_t answers_kept = 32;
  list<std::uint32_t> taken_{};
  std::int64_t taken_until_ = 0;
  list<ends> told_ends_{};
  list<std::int64_t> sought_{};

 public:
  /// A client has given it out.
  void took(produced_record const& r) {
    taken_.push_back(r.id);
    taken_until_ = std::max(taken_until_, r.at + 1);
  }
  /// The brokers answer where the log begins and ends.
  void told_ends(std::int64_t low, std::int64_t high) {
    if (told_ends_.size() >= answers_kept) told_ends_.erase(told_ends_.begin());
    told_ends_.push_back({low, high});
  }
  /// A program seeks; one that ever says so says it each time.
  void seeks(std::int64_t to) { sought_.push_back(to); }
  bool was_sought() const { return !sought_.empty(); }
  void begin_anew(std::int64_t to) {
    taken_.clear();
    taken_until_ = to;
    told_ends_.clear();
  }

  /// Has that happened to the log?
  bool allow(std::string_view cause, topic& t, int p, std::int64_t next) const {
    if (cause == "truncated") return is_cut_off(t, p, next);
    if (cause == "out of range")
      return std::any_of(told_ends_.begin(), told_ends_.end(), [&](ends const& log) { return is_outside(next, log); });
    return cause == "seek";
  }
  /// Does policy, or the program, want it to go from `next` to there?
  bool lead(std::string_view cause, std::int64_t next, std::int64_t to, position_error policy) const {
    if (cause == "seek") return sought_.empty() || std::count(sought_.begin(), sought_.end(), to) > 0;
    return std::any_of(told_ends_.begin(), told_ends_.end(), [&](ends const& log) {
      auto const near = std::clamp(next, log.low, std::max(log.low, log.high));
      if (cause == "truncated") return to == (policy == position_error::nearest ? near : log.low);
      return to == near && is_outside(next, log);
    });
  }

 private:
  bool is_outside(std::int64_t next, ends const& log) const {
    return next < log.low || std::max(next, taken_until_) > log.high;
  }
  /// Is a record that was taken last before the position cut off?
  bool is_cut_off(topic& t, int p, std::int64_t next) const {
    return std::any_of(taken_.begin(), taken_.end(), [&](auto id) {
      auto const& r = t.record(id);
      return r.at + 1 == next && r.log_life != t.log(p).life && !t.stands(r);
    });
  }
};

}}}}  // namespace sluice::v0::testing::simulated
