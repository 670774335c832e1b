/// \file source/live_source.hpp  A receiver as a source that can't be read again: its records wait in bounded memory.
#pragma once
#include <sluice/source/local_source.hpp>
#include <sluice/source/receiver.hpp>

#include <deque>

namespace sluice { inline namespace v0 {

namespace detail {

/// Between the threads that receive and the one that steps.
class memory_room {
  static constexpr std::size_t block_size = 256 << 10;
  mutable std::mutex guard_{};
  std::condition_variable room_{};
  std::deque<block_ptr> blocks_{};
  std::size_t bytes_ = 0, max_, records_ = 0;
  bool stopped_ = false;
  bell& bell_;

 public:
  memory_room(bell& b, std::size_t max) : max_(max), bell_(b) {
    if (max_ == 0) throw error(errc::bad_configuration, "the source's .max_buffered must be above 0");
  }
  memory_room(memory_room const&) = delete;
  memory_room& operator=(memory_room const&) = delete;

  /// A record that is larger than all the room is let in when nothing else is there.
  bool store(received const& r, bool wait) {
    auto const size = image_size(r);
    if (size > most_image) throw error(errc::bad_configuration, "a record of more than 1 GiB can't be received");
    auto const fits = [&] { return stopped_ || bytes_ == 0 || bytes_ + size <= max_; };
    {
      std::unique_lock lock{guard_};
      if (wait)
        room_.wait(lock, fits);
      else if (!fits())
        return false;
      if (stopped_) return false;
      auto const need = record_block::room_for(size);
      if (blocks_.empty() || blocks_.back()->data.capacity() - blocks_.back()->data.size() < need) {
        block_ptr fresh{new record_block};
        fresh->data.reserve(std::max(block_size, need));
        blocks_.push_back(std::move(fresh));
      }
      auto& block = *blocks_.back();
      bytes_ += block.size_of(block.add(r));
      ++records_;
    }
    bell_.ring();
    return true;
  }
  void stop() {
    {
      std::lock_guard const lock{guard_};
      stopped_ = true;
    }
    room_.notify_all();
  }
  std::size_t records() const {
    std::lock_guard const lock{guard_};
    return records_;
  }
  /// The oldest block, or none.
  block_ptr take() {
    block_ptr block;
    std::lock_guard const lock{guard_};
    if (blocks_.empty()) return block;
    block = std::move(blocks_.front());
    blocks_.pop_front();
    return block;
  }
  /// A record was handed over.
  void left(std::size_t records, std::size_t images) {
    {
      std::lock_guard const lock{guard_};
      bytes_ -= images;
      records_ -= records;
    }
    room_.notify_all();
  }
};

}  // namespace detail

/// Models local_log. Each record gets the next number from the claimed position on, so numbers go on over restarts.
template <class Receiver>
class live_log {
  detail::memory_room room_;
  detail::receiver_host<Receiver, detail::memory_room> host_;
  std::vector<topic_partition> of_;
  detail::block_ptr block_{};
  std::size_t at_ = 0;  // in block_
  offset next_{};
  std::uint64_t taken_ = 0;

 public:
  static constexpr bool numbers_anew = true;

  live_log(detail::bell& bell, std::shared_ptr<Receiver> receiver, std::string const& topic, std::size_t max_buffered)
      : room_(bell, max_buffered), host_(std::move(receiver), room_, bell), of_{{topic, 0}} {}
  live_log(live_log const&) = delete;
  live_log& operator=(live_log const&) = delete;

  void open(time_point) { host_.start(); }
  bool close(time_point by) { return host_.close(by); }
  std::uint64_t left_behind() const { return detail::keeps_what_is_not_handed<Receiver> ? 0 : room_.records(); }
  std::vector<topic_partition> const& partitions() const { return of_; }
  client::watermarks ends(std::size_t) const {
    return {offset{}, offset{next_.value() + static_cast<std::int64_t>(room_.records())}, true};
  }
  void begins(std::size_t, offset at) { next_ = at; }
  std::int32_t mark() const { return -1; }
  bool ended(std::size_t) const { return host_.finished(); }
  std::optional<time_point> next_due() const { return {}; }
  detail::message_access const* access() const { return &detail::image_access; }
  std::optional<fingerprint> print_at(std::size_t, offset) const { return {}; }

  void tend(source_owner& owner, time_point) {
    for (auto const& text : host_.take_told()) owner.troubled(errc::client_failed, text);
  }

  offset take(std::size_t, offset from, offset until, std::size_t want, std::size_t max_bytes, intake& in) {
    auto at = from.value();
    std::size_t gone = 0;
    auto const room = in.messages.room_for(want);
    std::size_t count = 0;
    for (; count < room.size() && in.bytes < max_bytes && at < until.value(); ++count) {
      if (!block_ || at_ == block_->data.size()) {
        block_.reset();
        block_ = room_.take();
        at_ = detail::record_block::anchor_size;
        if (!block_) break;
      }
      at_ += detail::record_block::lead;
      auto const size = block_->size_of(at_);
      auto& m = room[count] = block_->lend(at_, at++);
      at_ += size;
      in.bytes += m.key_size + m.value_size;
      gone += size;
    }
    in.messages.keep(count);
    if (count != 0) room_.left(count, gone);
    taken_ += count;
    next_ = offset{at};
    return next_;
  }
  void handed(std::size_t, offset until) {
    host_.handed(taken_ - static_cast<std::uint64_t>(next_.value() - until.value()));
  }
  void give_back(std::span<detail::message const> messages) {
    for (auto const& m : messages) detail::record_block::give_back(m);
  }
};

namespace detail {
/// What the live sources' open() comes down to.
template <class Runtime, class Config>
Runtime open_live(Config const& c) {
  return Runtime{local_plan{.until = c.until}, Config::receiver_of(c), c.topic, c.max_buffered};
}
}  // namespace detail

}}  // namespace sluice::v0
