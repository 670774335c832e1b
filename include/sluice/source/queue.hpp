/// \file source/queue.hpp  A queue as a source: any thread of the program pushes records, the consumer reads them.
#pragma once
#include <sluice/source/live_source.hpp>

namespace sluice { inline namespace v0 {

/// Bounded; shared by those who push and the consumer that reads, one at a time. Any thread. A record leaves it when it is
/// handed over to a handler, or is on the disk of a write_ahead_log: what is still there when the consumer closes is the next
/// one's. What is in it is lost when the process dies: so queue_source goes with at_most_once, or into a write_ahead_log.
///
/// A record that is too large for the log (its .max_record) is left out, told, and counted by too_large().
class record_queue {
  struct kept {
    std::string key{}, value{};
    bool has_key = false;
    wall_time timestamp{};
  };
  static constexpr std::uint64_t all = ~std::uint64_t{};
  mutable std::mutex guard_{};
  std::condition_variable changed_{};
  std::deque<kept> waiting_{};
  std::size_t max_records_, ahead_ = 0;  // ahead_: those in front that the consumer has, in memory alone
  std::uint64_t pushed_ = 0, too_large_ = 0;
  // Since the consumer was opened:
  std::uint64_t left_ = 0, may_leave_ = 0;          // of those stored
  std::uint64_t earlier_ = 0;                       // waited then
  std::uint64_t durable_ = 0, most_durable_ = all;  // of the others: none behind one that was left out
  bool closed_ = false, stopping_ = false;

  bool put(std::string_view value, std::optional<std::string_view> key, bool wait) {
    {
      std::unique_lock lock{guard_};
      auto const fits = [&] { return closed_ || waiting_.size() - ahead_ < max_records_; };
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
  std::uint64_t too_large() const {
    std::lock_guard const lock{guard_};
    return too_large_;
  }
  /// Behind a write_ahead_log: how many of those pushed since the consumer was opened are on the disk, up to the first that
  /// was left out.
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
        changed_.wait(lock, [&] { return stopping_ || closed_ || ahead_ < waiting_.size(); });
        if (stopping_ || to.stop_requested()) return;
        if (ahead_ == waiting_.size()) break;
        next = waiting_[ahead_];
      }
      received r{.value = std::string_view{next.value}, .timestamp = next.timestamp};
      if (next.has_key) r.key = payload{std::string_view{next.key}};
      try {
        if (!to.store(r)) return;
        std::lock_guard const lock{guard_};
        ++ahead_;
        let_go();
      } catch (error const& e) {
        if (e.code() != errc::bad_configuration) throw;
        to.tell(std::string{e.what()} + "; it is left out of the queue (" + std::to_string(leave_out()) + " so far)");
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
    left_ = may_leave_ = durable_ = ahead_ = 0;
    earlier_ = waiting_.size();
    most_durable_ = all;
  }
  void handed(std::uint64_t n) {
    std::lock_guard const lock{guard_};
    may_leave_ = n;
    let_go();
  }
  void durable(std::uint64_t n) {
    {
      std::lock_guard const lock{guard_};
      durable_ = std::min(n - std::min(n, earlier_), most_durable_);
      may_leave_ = n;
      let_go();
    }
    changed_.notify_all();
  }

 private:
  /// start() may not have come to know yet that they are stored.
  void let_go() {
    for (; ahead_ != 0 && left_ < may_leave_; --ahead_, ++left_) waiting_.pop_front();
  }
  /// The one that would be the next. Returns how many that makes.
  std::uint64_t leave_out() {
    std::lock_guard const lock{guard_};
    waiting_.erase(waiting_.begin() + static_cast<std::ptrdiff_t>(ahead_));
    if (auto const stored = left_ + ahead_; stored < earlier_)
      --earlier_;
    else
      most_durable_ = std::min(most_durable_, stored - earlier_);
    return ++too_large_;
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
  std::size_t max_buffered = 1 << 20;  ///< bytes that the consumer has in memory beside the queue
  read_until until{};

  static std::shared_ptr<record_queue> receiver_of(queue_source const& self) { return self.queue; }
  template <class Context>
  static detail::late<runtime, Context> open(queue_source const& self, Context const&) {
    return detail::open_live<detail::late<runtime, Context>>(self);
  }
};

}}  // namespace sluice::v0
