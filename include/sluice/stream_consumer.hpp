/// \file stream_consumer.hpp  The consumer: policies in, batches out, each delivered as its type promises.
#pragma once
#include <sluice/delivery/on_empty_batches_too.hpp>
#include <sluice/detail/arguments.hpp>
#include <sluice/detail/engine.hpp>
#include <sluice/detail/mute.hpp>

#include <stop_token>

namespace sluice { inline namespace v0 {

/// Reads a stream in micro-batches and keeps the promise that its policies name; what they can't promise together does
/// not compile. Policies come in any order, as template arguments and as constructor arguments; a slot that is left out
/// takes its default. It is neither copied nor moved: keep it in a std::optional or std::unique_ptr where that is wanted.
///
/// One thread at a time calls step, run, drain, close, seek, positions, lag, wake_on; any thread wake and statistics.
template <class... Ps>
class stream_consumer {
  using slots = slots_of<Ps...>;
  struct real {
    using type = detail::engine<slots>;
  };
  struct silent {
    using type = detail::mute;
  };
  using body = typename std::conditional_t<legal<Ps...>, real, silent>::type;

  [[no_unique_address]] detail::speak<slots, rules::first_broken<Ps...>> refusal_{};
  body body_;

 public:
  /// The store's transaction, which a `transactional` handler gets.
  using transaction = typename body::transaction;

  /// Opens everything. Throws error: the key, what its value should look like, the remedy; errc::no_broker and
  /// errc::unknown_topic where the brokers say so, within the source's `timeout`.
  template <class... Configs>
    requires(!(std::same_as<std::remove_cvref_t<Configs>, stream_consumer> || ...))
  explicit stream_consumer(Configs&&... configs)
      : body_(detail::arguments<slots, legal<Ps...>>::collect(std::forward<Configs>(configs)...)) {}

  stream_consumer(stream_consumer const&) = delete;
  stream_consumer& operator=(stream_consumer const&) = delete;

  /// close().
  ~stream_consumer() = default;

  /// At most one batch: serves the group, takes what the rate limit allows, handles and stores it as the delivery says.
  /// Waits for records no longer than `wait`; claims, checks of positions and advances block up to 5 s each (less with a
  /// small max.poll.interval.ms). Throws what the handler threw where on_failure is stop, store_error where the store
  /// failed, error for positions that policy says to stop at; the batch stays in hand and is offered again (with
  /// at_most_once it is not). Call it more often than max.poll.interval.ms.
  template <class Handler>
  step_result step(Handler&& handler, std::chrono::milliseconds wait = {}) {
    return with(handler, [&](auto const& h) { return body_.step(h, wait); });
  }

  /// step() until `stop.stop_requested()`, then drains: the last batch is stored. Throws what step() throws. Once it has
  /// returned the consumer is closed: a second run() throws error(closed). `stop`: a std::stop_token, stop_on_signal, or your own.
  template <class Stop, class Handler>
  void run(Stop stop, Handler&& handler) {
    static_assert(
        requires { static_cast<bool>(stop.stop_requested()); },
        "sluice: run's first argument says when to stop: a std::stop_token, or anything with "
        "stop_requested(), such as stop_on_signal{}; the handler comes second");
    if constexpr (requires { stop.stop_requested(); }) run_until(stop, handler);
  }

  /// Stores what was handled, leaves the group, closes. A batch that waits for a retry is abandoned.
  close_result drain(std::chrono::milliseconds deadline) { return body_.drain(deadline); }

  /// The same, bounded, and silent. From inside a handler it takes effect when step() ends.
  void close(std::chrono::milliseconds deadline = std::chrono::seconds{10}) noexcept { body_.close(deadline); }

  /// Goes on elsewhere in a partition that is ours: takes effect at the next step, and is stored as a rewind, with a new
  /// incarnation. Outputs keyed by position insert again what is read again. Where the group takes the partition away before
  /// that, the seek is void, and on_log says so.
  void seek(topic_partition const& of, offset to) { body_.seek(of, to); }

  /// The partitions that are claimed, and the next offset to be stored in each.
  std::vector<position> positions() const { return body_.positions(); }
  std::vector<lag_of> lag() const { return body_.lag(); }

  /// 8 bytes are written to `fd` (an eventfd, or a pipe) when step() has something to do; -1 ends it. Time-outs are told
  /// by step_result::due.
  void wake_on(int fd) { body_.wake_on(fd); }

  /// A snapshot by value. Any thread.
  stats statistics() const noexcept { return body_.statistics(); }
  /// Ends a waiting step(). Any thread.
  void wake() noexcept { body_.wake(); }

 private:
  template <class Stop, class Handler>
  void run_until(Stop const& stop, Handler& handler) {
    with(handler, [&](auto const& h) {
      body_.must_be_open("run");
      auto const waker = [this] { wake(); };
      [[maybe_unused]] auto const watch = [&] {
        if constexpr (std::same_as<Stop, std::stop_token>)
          return std::stop_callback{stop, waker};
        else
          return 0;
      }();
      step_result last{};
      while (!stop.stop_requested() && last.what != step_result::closed)
        last = body_.step(h, std::chrono::milliseconds{100});
      auto const by = std::chrono::steady_clock::now() + std::chrono::seconds{10};
      while (body_.in_hand() && std::chrono::steady_clock::now() < by)
        last = body_.step(h, std::chrono::milliseconds{100});
      (void)body_.drain(std::chrono::seconds{10});
      return last;
    });
  }

  template <class Handler, class Call>
  step_result with(Handler& handler, Call call) {
    if constexpr (std::is_function_v<Handler>) {
      auto* const named = &handler;
      return with(named, call);
    } else if constexpr (legal<Ps...>) {
      constexpr auto fault = detail::fault_of<Handler&, typename slots::delivery, transaction>();
      if constexpr (detail::handler_fits<fault, Handler>())
        return call(detail::refer_to<std::same_as<typename slots::delivery, transactional>, transaction>(handler));
    }
    return {};
  }
};

template <class... Configs>
stream_consumer(Configs...) -> stream_consumer<Configs...>;

}}  // namespace sluice::v0
