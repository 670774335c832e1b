/// \file source/log_writer.hpp  The thread that appends to a write-ahead log: what waits is one group, synced as one.
#pragma once
#include <sluice/source/log_folder.hpp>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <functional>
#include <thread>

namespace sluice { inline namespace v0 { namespace detail {

struct log_bounds {
  std::uint64_t segment_bytes = 64 << 20;
  std::uint64_t max_bytes = std::uint64_t{1} << 30;
  std::size_t max_record = 16 << 20;
  std::uint64_t max_group = 8 << 20;  ///< bytes that are synced as one; one record may have more
  std::chrono::milliseconds sync_every{0};
};

template <class Files>
class log_writer {
  log_folder<Files>& folder_;
  log_bounds bounds_;
  std::function<void(std::uint64_t)> durable_;  // on the writer's thread
  std::function<void(std::string)> tell_;
  std::function<std::string()> note_;  // kept before something is removed; may be empty

  mutable std::mutex guard_{};
  std::condition_variable room_{}, work_{};
  std::string pending_{}, writing_{};
  std::uint64_t pending_count_ = 0, writing_count_ = 0, next_ = 0, written_ = 0, stored_ = 0, kept_bytes_ = 0,
                trim_failed_at_ = 0;
  bool stop_ = false, urgent_ = false, full_told_ = false;
  std::thread thread_{};

  bool on_disk(std::size_t frame) const {
    return kept_bytes_ + pending_.size() + writing_.size() + frame + log_mark_size <= bounds_.max_bytes;
  }
  bool fits(std::size_t frame) const {
    return on_disk(frame) && (pending_.empty() || pending_.size() + frame <= bounds_.max_group);
  }

 public:
  log_writer(log_folder<Files>& folder, log_bounds bounds, std::function<void(std::uint64_t)> durable,
             std::function<void(std::string)> tell, std::function<std::string()> note = {})
      : folder_(folder),
        bounds_(bounds),
        durable_(std::move(durable)),
        tell_(std::move(tell)),
        note_(std::move(note)) {}
  log_writer(log_writer const&) = delete;
  log_writer& operator=(log_writer const&) = delete;
  ~log_writer() { close(); }

  /// After the folder was opened.
  void start() {
    next_ = folder_.end();
    kept_bytes_ = folder_.bytes();
    thread_ = std::thread{[this] { run(); }};
  }
  /// What waits is written first, if the disk lets it.
  void close() {
    stop();
    if (thread_.joinable()) thread_.join();
  }

  // ---- the receiver's side: any thread

  bool store(received const& r, bool wait) {
    auto const size = image_size(r);
    if (size > bounds_.max_record)
      throw error(errc::bad_configuration, "a record of " + std::to_string(size) +
                                               " bytes is longer than write_ahead_log's "
                                               ".max_record, " +
                                               std::to_string(bounds_.max_record));
    auto const frame = most_frame(size);
    {
      std::unique_lock lock{guard_};
      if (!stop_ && !fits(frame)) {
        urgent_ = true;
        work_.notify_one();
        if (!wait) return false;
        while (!stop_ && !fits(frame))
          if (!tell_of_full(lock, frame)) room_.wait(lock);
      }
      if (stop_) return false;
      append_frame(pending_, r, size, next_);  // where there is no memory for it, its number is the next one's
      ++next_;
      if (++pending_count_ != 1) return true;  // the writer knows already
    }
    work_.notify_one();
    return true;
  }
  void stop() {
    {
      std::lock_guard const lock{guard_};
      stop_ = true;
    }
    room_.notify_all();
    work_.notify_all();
  }

  // ---- the consumer's side

  /// Records that wait to be written.
  std::uint64_t waiting() const {
    std::lock_guard const lock{guard_};
    return pending_count_ + writing_count_;
  }

  /// All before `n` is stored: what it takes up may be had again.
  void stored(std::uint64_t n) {
    {
      std::lock_guard const lock{guard_};
      stored_ = n;
    }
    if (folder_.can_trim(n)) work_.notify_one();
  }

 private:
  /// True: much may have changed meanwhile.
  bool tell_of_full(std::unique_lock<std::mutex>& lock, std::size_t frame) {
    if (on_disk(frame) || std::exchange(full_told_, true)) return false;
    lock.unlock();
    tell_("the log in " + folder_.path() + " holds .max_bytes, " + std::to_string(bounds_.max_bytes) +
          ": the receiver waits until more of it is handled and stored");
    lock.lock();
    return true;
  }

  /// Where a segment can't be removed, later.
  void trim(std::uint64_t stored) {
    if (!folder_.can_trim(stored)) return;
    bool done = false;
    try {
      if (note_) folder_.keep_note(note_());
      done = folder_.trim(stored);
    } catch (std::exception const& e) { tell_(e.what()); } catch (...) {
      tell_("the receiver's note() threw something that is no std::exception");
    }
    {
      std::lock_guard const lock{guard_};
      kept_bytes_ = folder_.bytes();
      trim_failed_at_ = done ? 0 : stored;
      if (fits(0)) full_told_ = false;
    }
    room_.notify_all();
  }

  void run() {
    for (unsigned failures = 0;;) {
      std::uint64_t count = 0, stored = 0;
      bool stopping = false;
      {
        std::unique_lock lock{guard_};
        auto const wanted = [&] {
          return stop_ || pending_count_ != 0 || !writing_.empty() ||
                 (stored_ != trim_failed_at_ && folder_.can_trim(stored_));
        };
        if (trim_failed_at_ == 0)
          work_.wait(lock, wanted);
        else
          work_.wait_for(lock, std::chrono::seconds{1}, wanted);
        if (bounds_.sync_every.count() > 0 && writing_.empty() && pending_count_ != 0)
          work_.wait_for(lock, bounds_.sync_every, [&] { return stop_ || urgent_; });
        urgent_ = false;
        if (writing_.empty()) {
          std::swap(pending_, writing_);
          writing_count_ = std::exchange(pending_count_, 0);
        }
        count = writing_count_;
        stored = stored_;
        stopping = stop_;
        if (count == 0 && stopping) return;
      }
      room_.notify_all();  // the next group is filled while this one is synced
      trim(stored);
      if (count == 0) continue;
      try {
        folder_.append(writing_, count, bounds_.segment_bytes);
        failures = 0;
      } catch (error const& e) {
        tell_(std::string{e.what()} + "; tried again");
        if (stopping) return;
        std::unique_lock lock{guard_};
        work_.wait_for(lock, std::chrono::milliseconds{100} * (1 << std::min(failures++, 6u)), [&] { return stop_; });
        continue;
      }
      {
        std::lock_guard const lock{guard_};
        writing_.clear();
        written_ += std::exchange(writing_count_, 0);
        kept_bytes_ = folder_.bytes();
        if (fits(0)) full_told_ = false;
      }
      tell_durable();  // there is as much room as before: what was written takes up what it took up before
    }
  }
  void tell_durable() {
    try {
      durable_(written_);
    } catch (std::exception const& e) {
      tell_(std::string{"the receiver's durable() threw: "} + e.what());
    } catch (...) { tell_("the receiver's durable() threw something that is no std::exception"); }
  }
};

}}}  // namespace sluice::v0::detail
