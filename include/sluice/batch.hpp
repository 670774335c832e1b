/// \file batch.hpp  A micro-batch: a borrowed, copyable, random-access view of records, and the ranges it came from.
#pragma once
#include <sluice/record.hpp>

#include <iterator>
#include <ranges>
#include <span>

namespace sluice { inline namespace v0 {

/// A set of offset ranges with their records: by partition, in offset order within each. Owns nothing; it and its
/// records are valid until the handler returns.
class batch : public std::ranges::view_interface<batch> {
  std::span<detail::part const> parts_{};
  wall_time time_{};
  std::chrono::milliseconds interval_{0};
  bool more_ = false;

 public:
  class iterator {
    detail::message const* at_ = nullptr;
    detail::part const* part_ = nullptr;  // of at_; at the end still the last one
    detail::part const* parts_end_ = nullptr;

   public:
    using value_type = record;
    using reference = record;
    using pointer = void;
    using difference_type = std::ptrdiff_t;
    using iterator_category = std::input_iterator_tag;
    using iterator_concept = std::random_access_iterator_tag;

    iterator() = default;
    iterator(detail::message const* at, detail::part const* part, detail::part const* parts_end)
        : at_(at), part_(part), parts_end_(parts_end) {}

    record operator*() const { return {at_, part_}; }
    record operator[](difference_type n) const { return *(*this + n); }
    iterator& operator++() {
      if (++at_ == part_->end && part_ + 1 != parts_end_) ++part_;
      return *this;
    }
    iterator& operator--() {
      --at_;
      while (at_ < part_->begin) --part_;
      return *this;
    }
    iterator& operator+=(difference_type n) {
      if (n == 0) return *this;
      at_ += n;
      while (at_ < part_->begin) --part_;
      while (at_ >= part_->end && part_ + 1 != parts_end_) ++part_;
      return *this;
    }
    iterator operator++(int) {
      auto old = *this;
      ++*this;
      return old;
    }
    iterator operator--(int) {
      auto old = *this;
      --*this;
      return old;
    }
    iterator& operator-=(difference_type n) { return *this += -n; }
    friend iterator operator+(iterator i, difference_type n) { return i += n; }
    friend iterator operator+(difference_type n, iterator i) { return i + n; }
    friend iterator operator-(iterator i, difference_type n) { return i + -n; }
    friend difference_type operator-(iterator a, iterator b) { return a.at_ - b.at_; }
    friend bool operator==(iterator a, iterator b) { return a.at_ == b.at_; }
    friend auto operator<=>(iterator a, iterator b) { return a.at_ <=> b.at_; }
  };

  batch() = default;
  /// From what a source holds: parts whose messages lie one after another in memory, those without any behind the others.
  batch(std::span<detail::part const> parts, wall_time time, std::chrono::milliseconds interval = {}, bool more = false)
      : parts_(parts), time_(time), interval_(interval), more_(more) {}

  iterator begin() const {
    return parts_.empty() ? iterator{} : iterator{parts_.front().begin, parts_.data(), parts_.data() + parts_.size()};
  }
  iterator end() const {
    return parts_.empty() ? iterator{} : iterator{parts_.back().end, &parts_.back(), parts_.data() + parts_.size()};
  }
  std::size_t size() const {
    return parts_.empty() ? 0 : static_cast<std::size_t>(parts_.back().end - parts_.front().begin);
  }

  /// Where the records come from: one offset_range for each partition in the batch. Handlers that want empty batches see
  /// all partitions that are theirs: `from` equals `until` where there was nothing.
  template <class Part = detail::part const>
  auto ranges() const {
    return std::span<Part>{parts_} | std::views::transform([](Part& p) -> offset_range const& { return p.range; });
  }
  /// The same records, one batch for each partition.
  template <class Part = detail::part const>
  auto partitions() const {
    return std::span<Part>{parts_} | std::views::transform([self = *this](Part& p) {
             return batch{{&p, 1}, self.time_, self.interval_, self.more_};
           });
  }
  /// With an interval the aligned end of the batch; without one when it was taken.
  wall_time time() const { return time_; }
  /// micro_batch's; 0: a batch is what had arrived.
  std::chrono::milliseconds interval() const { return interval_; }
  /// This batch was cut short by its bounds: another of the same time follows.
  bool more_follows() const { return more_; }
};

}}  // namespace sluice::v0

template <>
inline constexpr bool std::ranges::enable_borrowed_range<sluice::batch> = true;
