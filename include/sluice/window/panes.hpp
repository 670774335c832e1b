/// \file window/panes.hpp  One key's values in a window that moves by panes: pieces of time, each with one value.
#pragma once
#include <sluice/window/aggregate_queue.hpp>

#include <cstdint>
#include <deque>

namespace sluice { inline namespace v0 { namespace detail {

/// Panes come in the order of time; the youngest may still grow.
template <class T, class Queue, class Combine>
class panes {
  Queue closed_;
  std::deque<std::int64_t> times_{};  // of closed_
  std::optional<T> open_{};
  std::int64_t open_time_ = 0;
  [[no_unique_address]] Combine combine_;

 public:
  panes(Queue closed, Combine combine) : closed_(std::move(closed)), combine_(std::move(combine)) {}

  bool empty() const { return !open_ && closed_.empty(); }

  /// `time` is that of the youngest pane, or a later one. Answers whether the pane is new.
  bool add(std::int64_t time, T value) {
    if (open_ && open_time_ == time) {
      open_ = std::invoke(combine_, std::move(*open_), std::move(value));
      return false;
    }
    if (open_) {
      closed_.push(std::move(*open_));
      times_.push_back(open_time_);
    }
    open_ = std::move(value);
    open_time_ = time;
    return true;
  }
  /// The youngest pane's value, where it has not left.
  T const* youngest() const { return open_ ? &*open_ : nullptr; }

  /// Panes of `until` and before leave.
  void leave(std::int64_t until) {
    for (; !times_.empty() && times_.front() <= until; times_.pop_front()) closed_.pop();
    if (open_ && open_time_ <= until) open_.reset();
  }
  std::optional<T> total() const {
    auto all = closed_.total();
    if (!open_) return all;
    if (!all) return open_;
    return std::invoke(combine_, std::move(*all), *open_);
  }
  void shift(std::int64_t by) {
    for (auto& t : times_) t += by;
    open_time_ += by;
  }
};

}}}  // namespace sluice::v0::detail
