/// \file window/aggregate_queue.hpp  The aggregate of a queue, kept up to date while values enter behind and leave in front.
///
/// Plain containers: nothing of streams in them. `combine` must be associative; it need not be commutative: the older value is
/// always the left one.
#pragma once
#include <cstddef>
#include <deque>
#include <functional>
#include <optional>
#include <utility>
#include <vector>

namespace sluice { inline namespace v0 {

/// Without an inverse: two stacks (Tangwongsan, Hirzel, Schneider, "General incremental sliding-window aggregation", 2015).
/// A value is combined at most three times in its life, however long the queue; one pop in many takes as long as the queue.
template <class T, class Combine>
class aggregate_queue {
  struct summed {
    T value;
    T sum;  // of this and all that are younger in front_
  };
  std::vector<summed> front_{};  // the oldest last
  std::vector<T> back_{};
  std::optional<T> back_sum_{};
  [[no_unique_address]] Combine combine_;

 public:
  explicit aggregate_queue(Combine combine = {}) : combine_(std::move(combine)) {}

  std::size_t size() const { return front_.size() + back_.size(); }
  bool empty() const { return size() == 0; }

  void push(T value) {
    back_sum_ = back_sum_ ? std::invoke(combine_, *back_sum_, value) : value;
    back_.push_back(std::move(value));
  }
  /// The oldest leaves. There must be one.
  void pop() {
    if (front_.empty()) turn_over();
    front_.pop_back();
  }
  /// Of all, oldest first; nothing where there are none.
  std::optional<T> total() const {
    if (front_.empty()) return back_sum_;
    if (!back_sum_) return front_.back().sum;
    return std::invoke(combine_, front_.back().sum, *back_sum_);
  }

 private:
  void turn_over() {
    front_.reserve(back_.size());
    for (; !back_.empty(); back_.pop_back()) {
      T sum = front_.empty() ? back_.back() : std::invoke(combine_, back_.back(), front_.back().sum);
      front_.push_back({std::move(back_.back()), std::move(sum)});
    }
    back_sum_.reset();
  }
};

/// With one: `inverse(total, oldest)` takes the oldest value out again. Each value is combined once and taken out once.
template <class T, class Combine, class Inverse>
class subtracting_queue {
  std::deque<T> values_{};
  std::optional<T> total_{};
  [[no_unique_address]] Combine combine_;
  [[no_unique_address]] Inverse inverse_;

 public:
  explicit subtracting_queue(Combine combine = {}, Inverse inverse = {})
      : combine_(std::move(combine)), inverse_(std::move(inverse)) {}

  std::size_t size() const { return values_.size(); }
  bool empty() const { return values_.empty(); }

  void push(T value) {
    total_ = total_ ? std::invoke(combine_, *total_, value) : value;
    values_.push_back(std::move(value));
  }
  /// The oldest leaves. There must be one. With the last one goes what rounding has left.
  void pop() {
    if (values_.size() == 1)
      total_.reset();
    else if (total_)
      total_ = std::invoke(inverse_, *total_, values_.front());
    values_.pop_front();
  }
  std::optional<T> total() const { return total_; }
};

}}  // namespace sluice::v0
