/// \file source/queue.hpp  A queue as a source: any thread of the program pushes records, the consumer reads them.
#pragma once
#include <sluice/source/live_source.hpp>

namespace sluice { inline namespace v0 {

/// Bounded; shared by those who push and the consumer that reads. Any thread. What is in it is lost when the process dies:
/// so queue_source goes with at_most_once, or into a write_ahead_log.
class record_queue {
  struct kept {
    std::string key{}, value{};
    bool has_key = false;
    wall_time timestamp{};
  };
  mutable std::mutex guard_{};
  std::condition_variable changed_{};
  std::deque<kept> waiting_{};
  std::size_t max_records_;
  std::uint64_t pushed_ = 0, durable_ = 0, earlier_ = 0;  // earlier_: waited when the consumer was opened
  bool closed_ = false, stopping_ = false;

  bool put(std::string_view value, std::optional<std::string_view> key, bool wait) {
    {
      std::unique_lock lock{guard_};
      auto const fits = [&] { return closed_ || waiting_.size() < max_records_; };
      if (wait)
        changed_.wait(lock, fits);
      else if (!fits())
        return false;
      if (closed_) return false;
      waiting_.push_back({std::string{key.value_or("")}, std::string{value}, key.has_value(), received{}.timestamp});
      ++pushed_;
    }
    changed_.notify_all();
    return true;
  }

 public:
  explicit record_queue(std::size_t max_records = 10'000) : max_records_(std::max<std::size_t>(1, max_records)) {}

  /// Waits while it is full. False: it is closed.
  bool push(std::string_view value, std::optional<std::string_view> key = {}) { return put(value, key, true); }
  /// False: it is full, or closed.
  bool try_push(std::string_view value, std::optional<std::string_view> key = {}) { return put(value, key, false); }
  /// No more will come: the consumer ends when all are handled.
  void close() {
    {
      std::lock_guard const lock{guard_};
      closed_ = true;
    }
    changed_.notify_all();
  }
  std::uint64_t pushed() const {
    std::lock_guard const lock{guard_};
    return pushed_;
  }
  /// Behind a write_ahead_log: how many of those pushed since the consumer was opened are on the disk.
  std::uint64_t durable() const {
    std::lock_guard const lock{guard_};
    return durable_;
  }
  /// Until that many are; false: not by `by`.
  bool wait_durable(std::uint64_t n, time_point by) {
    std::unique_lock lock{guard_};
    return changed_.wait_until(lock, by, [&] { return durable_ >= n; });
  }

  // ---- what its consumer calls (models receiver)

  void start(receiving& to) {
    {
      std::lock_guard const lock{guard_};
      stopping_ = false;
    }
    if (to.stop_requested()) return;
    for (kept next;;) {
      {
        std::unique_lock lock{guard_};
        changed_.wait(lock, [&] { return stopping_ || closed_ || !waiting_.empty(); });
        if (stopping_ || to.stop_requested()) return;
        if (waiting_.empty()) break;
        next = waiting_.front();
      }
      received r{.value = std::string_view{next.value}, .timestamp = next.timestamp};
      if (next.has_key) r.key = payload{std::string_view{next.key}};
      if (!to.store(r)) return;
      {
        std::lock_guard const lock{guard_};
        waiting_.pop_front();
      }
      changed_.notify_all();
    }
    to.finish();
  }
  void stop() {
    {
      std::lock_guard const lock{guard_};
      stopping_ = true;
    }
    changed_.notify_all();
  }
  void opened() {
    std::lock_guard const lock{guard_};
    durable_ = 0;
    earlier_ = waiting_.size();
  }
  void durable(std::uint64_t n) {
    {
      std::lock_guard const lock{guard_};
      durable_ = n - std::min(n, earlier_);
    }
    changed_.notify_all();
  }
};

/// Reads a record_queue.
///
///     auto const queue = std::make_shared<sl::record_queue>();
///     sl::stream_consumer consumer{sl::at_most_once{}, sl::no_offsets<sl::from::latest>{}, sl::queue_source{.queue = queue}};
///     queue->push("one");
struct queue_source {
  using slot = source_slot;
  using must_be_configured = void;
  using receiver_type = record_queue;
  using runtime = local_source<live_log<record_queue>>;
  static constexpr bool has_group = false;
  static constexpr bool can_replay = false;
  static constexpr bool assigned_by_hand = true;

  std::shared_ptr<record_queue> queue{};
  std::string group{};
  std::string topic = "queue";
  std::size_t max_buffered = 1 << 20;  ///< bytes taken out of the queue ahead
  read_until until{};

  static std::shared_ptr<record_queue> receiver_of(queue_source const& self) { return self.queue; }
  template <class Context>
  static detail::late<runtime, Context> open(queue_source const& self, Context const&) {
    return detail::open_live<detail::late<runtime, Context>>(self);
  }
};

}}  // namespace sluice::v0
