/// \file source/receiver.hpp  A receiver: code that hears records from somewhere, on a thread of its own, and stores them.
///
/// A receiver is any class with `start(receiving&)`. It is called on a thread of its own, and may stay (a loop that ends
/// when stop_requested()), or start threads and return; store() may be called from any of them. With `stop()`, called from
/// another thread and also while start() runs, it is told to end, and once more when start() has returned; start() must then
/// return. With `durable(n)` it hears, on another thread too,
/// that the first n records that it stored since its consumer was opened can't be lost any more: what can ask again
/// acknowledges them then. With `handed(n)` it hears, where there is no log, that the first n records were handed over to the
/// consumer's handler: one that keeps the others until then, and stores them again for its next consumer, loses none of them
/// when this one closes. With `opened()` it hears that a consumer is opened, before its first start().
///
/// A receiver that must know what it has stored in earlier lives, in a write_ahead_log, has `note()`, a text that is kept when
/// records are removed from the log (any thread), and `recall(std::optional<std::string> const&)`, called before start() with the
/// last note, then `recall(record const&)` with each record that is there.
///
/// What start() throws, and what is said by fail(), is told to the observer (the first of it), and the receiver is started
/// again, after growing waits (100 ms to 10 s).
#pragma once
#include <sluice/detail/files.hpp>
#include <sluice/detail/wake.hpp>
#include <sluice/source/record_image.hpp>

#include <condition_variable>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

namespace sluice { inline namespace v0 {

/// What a receiver may do. Any thread.
class receiving {
 public:
  /// Waits while there is no room. False: the consumer is closing, nothing was stored. Throws error(bad_configuration) for
  /// a record that is larger than there will ever be room for.
  virtual bool store(received const& r) = 0;
  /// The same without waiting; false too where there is no room now.
  virtual bool try_store(received const& r) = 0;
  bool store(std::string_view value) { return store(received{.value = value}); }
  virtual bool stop_requested() const = 0;
  /// Becomes readable when stop is requested: for poll().
  virtual int stop_event() const = 0;
  /// One line for the observer.
  virtual void tell(std::string text) = 0;
  /// It is to be started again; `stop()` is called before that.
  virtual void fail(std::string why) = 0;
  /// No more records will come: step() answers `closed` when all are handled and stored.
  virtual void finish() = 0;

 protected:
  ~receiving() = default;
};

template <class R>
concept receiver = requires(R& r, receiving& to) { r.start(to); };

namespace detail {

/// What is gone with a consumer's memory it has still, or its sender has.
template <class R>
concept keeps_what_is_not_handed = requires(R& r, std::uint64_t n) { r.handed(n); };
template <class R>
concept keeps_what_is_not_durable = requires(R& r, std::uint64_t n) { r.durable(n); };

/// Runs a receiver until the end, whatever it throws. `Room` is where records go: `store(received, wait)`, `stop()`.
template <class Receiver, class Room>
class receiver_host final : public receiving {
  std::shared_ptr<Receiver> receiver_;
  Room& room_;
  bell& bell_;
  unique_fd event_{::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)};
  mutable std::mutex guard_{};
  std::mutex stopping_{};
  std::condition_variable changed_{};
  std::vector<std::string> told_{};
  std::string why_{};
  bool stop_ = false, failed_ = false, finished_ = false, ended_ = false;
  std::atomic<bool> stored_ = false;
  std::thread thread_{};

 public:
  receiver_host(std::shared_ptr<Receiver> r, Room& room, bell& b) : receiver_(std::move(r)), room_(room), bell_(b) {
    if (!receiver_) throw error(errc::bad_configuration, "the source's .receiver is null; give it one");
    if (!event_)
      throw error(errc::client_failed, "no eventfd: " + errno_text(errno) + "; raise the limit of open files");
  }
  receiver_host(receiver_host const&) = delete;
  receiver_host& operator=(receiver_host const&) = delete;
  ~receiver_host() { (void)close(std::chrono::steady_clock::now()); }

  void start() {
    if constexpr (requires { receiver_->opened(); }) receiver_->opened();
    thread_ = std::thread{[this] { supervise(); }};
  }

  /// Waits for the receiver even beyond `by`: its memory is ours. False: it took longer.
  bool close(time_point by) {
    if (!thread_.joinable()) return true;
    {
      std::lock_guard const lock{guard_};
      stop_ = true;
    }
    std::uint64_t const one = 1;
    (void)!::write(event_.get(), &one, sizeof one);
    changed_.notify_all();
    room_.stop();
    stop_receiver();
    thread_.join();
    return std::chrono::steady_clock::now() <= by;
  }

  bool finished() const {
    std::lock_guard const lock{guard_};
    return finished_ && ended_;
  }
  std::vector<std::string> take_told() {
    std::lock_guard const lock{guard_};
    return std::exchange(told_, {});
  }
  void durable(std::uint64_t n) {
    if constexpr (keeps_what_is_not_durable<Receiver>) receiver_->durable(n);
  }
  void handed(std::uint64_t n) {
    if constexpr (keeps_what_is_not_handed<Receiver>) try {
        receiver_->handed(n);
      } catch (std::exception const& e) {
        tell(std::string{"the receiver's handed() threw: "} + e.what());
      } catch (...) { tell("the receiver's handed() threw something that is no std::exception"); }
  }

  // ---- receiving

  using receiving::store;
  bool store(received const& r) override { return noted(room_.store(r, true)); }
  bool try_store(received const& r) override { return noted(room_.store(r, false)); }
  bool stop_requested() const override {
    std::lock_guard const lock{guard_};
    return stop_;
  }
  int stop_event() const override { return event_.get(); }
  void tell(std::string text) override {
    {
      std::lock_guard const lock{guard_};
      if (told_.size() < 100) told_.push_back(std::move(text));
    }
    bell_.ring();
  }
  void fail(std::string why) override {
    {
      std::lock_guard const lock{guard_};
      if (!std::exchange(failed_, true)) why_ = std::move(why);  // what follows is mostly its consequence
    }
    changed_.notify_all();
  }
  void finish() override {
    {
      std::lock_guard const lock{guard_};
      finished_ = true;
    }
    changed_.notify_all();
  }

 private:
  bool noted(bool done) {
    if (done) stored_ = true;
    return done;
  }

  void stop_receiver() noexcept {
    if constexpr (requires { receiver_->stop(); }) {
      std::lock_guard const one_at_a_time{stopping_};
      try {
        receiver_->stop();
      } catch (...) {}  // it is to end, and has nobody to tell
    }
  }

  /// True: it ended as it should.
  bool run() {
    {
      std::lock_guard const lock{guard_};
      failed_ = false;
    }
    stored_ = false;
    try {
      receiver_->start(*this);
      std::unique_lock lock{guard_};
      changed_.wait(lock, [&] { return stop_ || failed_ || finished_; });
      if (!failed_) return true;
    } catch (std::exception const& e) { fail(e.what()); } catch (...) {
      fail("it threw something that is no std::exception");
    }
    return stop_requested();
  }

  void supervise() {
    for (unsigned tries = 0; !run();) {
      stop_receiver();
      std::string text;
      std::chrono::milliseconds wait{};
      {
        std::lock_guard const lock{guard_};
        tries = stored_ ? 0 : std::min(tries + 1, 8u);
        wait = std::min(std::chrono::milliseconds{100} * (1 << tries), std::chrono::milliseconds{10'000});
        text = "the receiver failed: " + why_ + "; started again in " + std::to_string(wait.count()) + " ms";
      }
      tell(std::move(text));
      std::unique_lock lock{guard_};
      if (changed_.wait_for(lock, wait, [&] { return stop_; })) break;
    }
    stop_receiver();  // once more: what start() has begun behind the first time
    {
      std::lock_guard const lock{guard_};
      ended_ = true;
    }
    bell_.ring();
  }
};

}  // namespace detail
}}  // namespace sluice::v0
