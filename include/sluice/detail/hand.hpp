/// \file detail/hand.hpp  The batch in hand: taken from the source, until each of its partitions is stored or given up.
#pragma once
#include <sluice/detail/late.hpp>
#include <sluice/source/concept.hpp>

#include <algorithm>
#include <string>
#include <vector>

namespace sluice { inline namespace v0 { namespace detail {

/// Which record of the batch is next to be handled: by `each`, which may be interrupted anywhere.
struct cursor {
  std::size_t part = 0;
  std::size_t index = 0;
  friend bool operator==(cursor, cursor) = default;
};

/// A record that is set aside in a transaction that has to be run again without it.
struct exclusion {
  topic_partition of{};
  std::int64_t at = 0;
  std::string error{};
  unsigned attempts = 0;
  wall_time first{};
};

template <class Late>
class basic_hand {
  late<intake, Late> in_{};
  late<std::vector<move>, Late> moves_{};

 public:
  wall_time time{};
  std::chrono::milliseconds interval{0};
  bool more = false;         ///< another batch of the same time follows
  bool shows_empty = false;  ///< parts without records are the handler's too
  cursor at{};               ///< everything before it is handled or set aside
  bool handled = false;
  bool advanced = false;
  bool all_aside = false;  ///< a transaction's batch handler has failed for good: all records are set aside
  unsigned attempts = 0;   ///< that failed, of the record (each) or the batch in question
  unsigned store_attempts = 0;
  cursor failing{};
  wall_time first_failure{};
  time_point due{};     ///< not before
  std::string error{};  ///< of the last failure
  late<std::vector<exclusion>, Late> excluded{};

  bool empty() const { return moves_.empty(); }
  /// No source has put anything here.
  bool untouched() const { return in_.messages.empty() && in_.parts.empty(); }
  std::size_t records() const { return in_.messages.size(); }
  std::size_t bytes() const { return in_.bytes; }
  /// Those with records: a part whose records were all shed only has its range to be advanced.
  std::span<part const> parts() const {
    if (shows_empty) return in_.parts;
    auto const some = std::find(in_.counts.begin(), in_.counts.end(), std::size_t{0}) - in_.counts.begin();
    return {in_.parts.data(), static_cast<std::size_t>(some)};
  }
  std::span<move const> moves() const { return moves_; }
  batch view() const { return {parts(), time, interval, more}; }
  intake& intake_for_source() { return in_; }

  /// After the source has filled the intake from these lanes.
  void taken(std::span<lane const> lanes, wall_time when) {
    moves_.resize(in_.parts.size());
    for (std::size_t i = 0; i < moves_.size(); ++i) {
      auto const& range = in_.parts[i].range;
      lane const& l = lanes[in_.lanes[i]];
      moves_[i].of = range.of;
      moves_[i].from = range.from;
      moves_[i].until = range.until;
      moves_[i].mine = l.mine;
      moves_[i].log = l.log;
    }
    lay_out();
    time = when;
    at = failing = {};
    handled = advanced = all_aside = false;
    more = shows_empty = false;
    attempts = store_attempts = 0;
    due = {};
    excluded.clear();
  }

  /// Gives up part `i` for good; its messages go back.
  template <class Source>
  void drop(std::size_t i, Source& source) {
    auto const begin = begin_of(i);
    auto const messages = in_.messages.all().subspan(begin, in_.counts[i]);
    for (auto const& m : messages) in_.bytes -= m.key_size + m.value_size;
    give_back(messages, i, source);
    auto const erase = [i](auto& v) { v.erase(v.begin() + static_cast<std::ptrdiff_t>(i)); };
    in_.messages.erase(begin, in_.counts[i]);
    erase(in_.parts);
    erase(in_.lanes);
    erase(in_.counts);
    erase(moves_);
    lay_out();
    if (failing.part == i) attempts = 0;
    for (auto* c : {&at, &failing}) {
      if (c->part == i) c->index = 0;
      if (c->part > i) --c->part;
    }
  }

  /// Lets the oldest `n` records of part `i` go; its range stays. True: that was all of them, and the part has gone last.
  template <class Source>
  bool shed(std::size_t i, std::size_t n, Source& source) {
    auto const begin = begin_of(i);
    give_back(in_.messages.all().subspan(begin, n), i, source);
    in_.messages.erase(begin, n);
    in_.counts[i] -= n;
    bool const all = in_.counts[i] == 0;
    if (all) {
      auto const last = [i](auto& v) {
        std::rotate(v.begin() + static_cast<std::ptrdiff_t>(i), v.begin() + static_cast<std::ptrdiff_t>(i) + 1,
                    v.end());
      };
      last(in_.parts);
      last(in_.lanes);
      last(in_.counts);
      last(moves_);
    }
    lay_out();
    return all;
  }

  template <class Source>
  void clear(Source& source) {
    source.give_back(in_);
    in_.messages.clear();
    in_.parts.clear();
    in_.lanes.clear();
    in_.counts.clear();
    in_.bytes = 0;
    moves_.clear();
  }

  /// Records that `at` has not passed.
  std::size_t left() const {
    std::size_t n = 0;
    for (auto i = at.part; i < in_.counts.size(); ++i) n += in_.counts[i];
    return n - at.index;
  }
  /// All of it is to be handled once more.
  void offer_again() {
    handled = false;
    at = {};
    attempts = 0;
  }
  std::size_t count(std::size_t i) const { return in_.counts[i]; }
  std::size_t find(topic_partition const& of) const {
    std::size_t i = 0;
    while (i < moves_.size() && moves_[i].of != of) ++i;
    return i;
  }
  record current() const { return {in_.parts[at.part].begin + at.index, &in_.parts[at.part]}; }

 private:
  template <class Source>
  void give_back(std::span<message const> messages, std::size_t i, Source& source) {
    if constexpr (requires { source.give_back(messages, in_.parts[i]); })
      source.give_back(messages, in_.parts[i]);
    else
      source.give_back(messages);
  }
  std::size_t begin_of(std::size_t i) const {
    std::size_t begin = 0;
    for (std::size_t k = 0; k < i; ++k) begin += in_.counts[k];
    return begin;
  }
  void lay_out() {
    message const* p = in_.messages.data();
    for (std::size_t i = 0; i < in_.parts.size(); ++i) {
      in_.parts[i].begin = p;
      in_.parts[i].end = p += in_.counts[i];
    }
  }
};

}}}  // namespace sluice::v0::detail
