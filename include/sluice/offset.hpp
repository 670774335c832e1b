/// \file offset.hpp  Where in a stream something stands: partitions, offsets, ranges of offsets.
#pragma once
#include <chrono>
#include <compare>
#include <cstdint>
#include <string>

namespace sluice { inline namespace v0 {

/// The *next* record to read. There is no way to make one from an event, so none is off by one:
/// a record stands at an offset, and after it comes `record.offset().next()`.
class offset {
  std::int64_t value_ = 0;

 public:
  constexpr offset() = default;
  constexpr explicit offset(std::int64_t value) : value_(value) {}
  constexpr std::int64_t value() const { return value_; }
  /// The offset behind the record that stands here.
  constexpr offset next() const { return offset{value_ + 1}; }
  friend constexpr auto operator<=>(offset, offset) = default;
};

struct topic_partition {
  std::string topic{};
  std::int32_t partition = 0;
  friend auto operator<=>(topic_partition const&, topic_partition const&) = default;
};

inline std::string to_string(topic_partition const& of) { return of.topic + "/" + std::to_string(of.partition); }

/// The records of one partition from `from` up to, but not including, `until`. Offsets have gaps: the range says
/// what was read, never how many records. `incarnation` tells one life of the log from the next (see log_state).
struct offset_range {
  topic_partition of{};
  offset from{};
  offset until{};
  std::int64_t incarnation = 0;
  friend bool operator==(offset_range const&, offset_range const&) = default;
};

/// A partition and the next offset to read in it.
struct position {
  topic_partition of{};
  offset next{};
  friend bool operator==(position const&, position const&) = default;
};

/// How many offsets lie between the position and the end of the partition as last heard of; negative: not known.
struct lag_of {
  topic_partition of{};
  std::int64_t records = -1;
  friend bool operator==(lag_of const&, lag_of const&) = default;
};

using wall_time = std::chrono::sys_time<std::chrono::milliseconds>;
using time_point = std::chrono::steady_clock::time_point;

}}  // namespace sluice::v0
