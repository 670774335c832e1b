/// \file source/read_until.hpp  Where a bounded read ends: a replay up to an offset, a time, or what is there when it begins.
#pragma once
#include <sluice/offset.hpp>

#include <limits>
#include <vector>

namespace sluice { inline namespace v0 {

/// When every partition that is ours has come to its end, and all before it is handled and stored, step() answers
/// `closed` and run() returns.
class read_until {
 public:
  enum what_t { never, at_offset, at_time, at_end, at_each };

 private:
  what_t what_ = never;
  sluice::offset offset_{};
  wall_time time_{};
  std::vector<position> each_{};

 public:
  /// Not bounded.
  read_until() = default;
  /// In each partition: the records before this offset.
  static read_until offset(sluice::offset o) {
    read_until u;
    u.what_ = at_offset;
    u.offset_ = o;
    return u;
  }
  /// In each partition: up to the first record written at `t` or later.
  static read_until time(std::chrono::system_clock::time_point t) {
    read_until u;
    u.what_ = at_time;
    u.time_ = std::chrono::floor<std::chrono::milliseconds>(t);
    return u;
  }
  /// What is there when reading begins, and nothing that comes later.
  static read_until end() {
    read_until u;
    u.what_ = at_end;
    return u;
  }
  /// An end of its own for each partition that is named; of the others nothing is read.
  static read_until each(std::vector<position> ends) {
    read_until u;
    u.what_ = at_each;
    u.each_ = std::move(ends);
    return u;
  }

  what_t what() const { return what_; }
  wall_time time() const { return time_; }
  /// The end in `of`, whose log ends at `high` now. Times are the source's to find.
  sluice::offset in(topic_partition const& of, sluice::offset high) const {
    switch (what_) {
      case at_offset:
        return offset_;
      case at_end:
        return high;
      case at_each:
        for (auto const& p : each_)
          if (p.of == of) return p.next;
        return sluice::offset{};
      default:
        return sluice::offset{std::numeric_limits<std::int64_t>::max()};
    }
  }
};

}}  // namespace sluice::v0
