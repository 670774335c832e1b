/// \file observer.hpp  Who is told what happens: any type with some of the callbacks, and a ready one that writes lines.
///
/// Callbacks, each with one argument, on the thread that calls step(): on_claim(claimed), on_rebalance(rebalance_event),
/// on_position_error(position_event), on_handling(batch), on_handled(batch), on_advancing(advance_event),
/// on_advanced(advance_event), on_refused(move), on_batch(batch_event), on_retry(retry_event),
/// on_dead_letter(dead_letter_event), on_slow_handler(slow_event), on_log(log_event). One that is not there costs nothing.
/// What a callback throws is kept and thrown by step() at its end. Views in the arguments die with the call.
///
/// One callback is not on that thread: on_hanging_handler(slow_event), when half of max.poll.interval.ms is over and the handler
/// still runs, once for each call of it; on_slow_handler comes when the handler has returned. It is called by a thread that the
/// consumer has only where the observer has this callback; it may run at the same time as the others and as the handler, and
/// what it throws is dropped. Without it statistics().age shows a handler that hangs.
///
///     struct counter { using slot = sl::observer_slot; std::size_t* n; void on_batch(sl::batch_event const& e) { *n += e.records; } };
///
/// The consumer keeps a copy; with `runtime` and `open` of its own, what open() makes of it.
#pragma once
#include <sluice/on_failure/concept.hpp>
#include <sluice/rate_limit/concept.hpp>
#include <sluice/source/concept.hpp>

#include <exception>
#include <ostream>

namespace sluice { inline namespace v0 {

struct advance_event {
  std::span<move const> moves{};
  std::span<outcome const> outcomes{};  ///< empty before the store was asked
};

/// One batch, after all of it: durations of its steps, and where the stream stands.
struct batch_event {
  wall_time time{};
  std::size_t records = 0;
  std::size_t bytes = 0;
  std::chrono::nanoseconds taking{0}, handling{0}, advancing{0};
  std::chrono::nanoseconds scheduling_delay{0};
  std::int64_t lag = -1;  ///< over all partitions; -1: not known
  double rate = 0;        ///< records a second that the rate limit allows; 0: no limit
};

struct retry_event {
  std::string error{};
  unsigned attempts = 0;  ///< that failed so far
  time_point due{};
  bool store_failed = false;            ///< the store's failure, not the handler's
  std::optional<topic_partition> of{};  ///< the record's, where it is known which failed: with `each`
  offset at{};
};

struct dead_letter_event {
  dead_letter const& letter;
  bool skipped = false;  ///< recorded as skipped, not kept as a dead letter
};

struct slow_event {
  std::chrono::nanoseconds handling{0};  ///< so far, where the handler still runs
  std::chrono::milliseconds limit{0};    ///< max.poll.interval.ms
  std::string text{};
};

struct log_event {
  int level = 6;  ///< syslog's: 3 error, 4 warning, 6 information, 7 debug
  std::string_view line{};
};

/// Tells nobody; the default.
struct no_observer {
  using slot = observer_slot;
};

/// Writes a line for each event that a person would want to see: claims, rebalances, everything that went wrong.
/// The stream is borrowed, and written on the thread that calls step().
struct log_to {
  using slot = observer_slot;
  using must_be_configured = void;
  using runtime = log_to;

  std::ostream* out = nullptr;
  int level = 6;         ///< lines of librdkafka above this level are left out
  bool batches = false;  ///< a line for each batch too

  static runtime open(log_to const& self, context const&) {
    if (!self.out) throw error(errc::bad_configuration, "log_to.out is null; give it a stream: sl::log_to{&std::clog}");
    return self;
  }

  void on_claim(claimed const& c) {
    static constexpr char const* what[] = {"stored", "first, from", "new, from earliest", "missing", "foreign",
                                           "busy",   "failed"};
    *out << to_string(c.of) << ": " << what[c.what];
    if (c.what <= claimed::added)
      *out << ' ' << c.next.value() << ", fence " << c.mine.turn;
    else if (!c.why.empty())
      *out << ": " << c.why;
    *out << '\n';
  }
  void on_rebalance(rebalance_event const& e) {
    static constexpr char const* what[] = {"assigned", "revoked", "lost"};
    *out << what[e.what] << ':';
    for (auto const& of : e.partitions) *out << ' ' << to_string(of);
    *out << '\n';
  }
  void on_position_error(position_event const& e) { *out << e.text << '\n'; }
  void on_refused(move const& m) {
    *out << to_string(m.of) << ": advance to " << m.until.value() << " refused, fence " << m.mine.turn
         << " is no longer the owner's\n";
  }
  void on_batch(batch_event const& e) {
    using std::chrono::duration_cast;
    using ms = std::chrono::milliseconds;
    if (batches)
      *out << "batch: " << e.records << " records, " << e.bytes << " bytes, handled in "
           << duration_cast<ms>(e.handling).count() << " ms, stored in " << duration_cast<ms>(e.advancing).count()
           << " ms, lag " << e.lag << '\n';
  }
  void on_retry(retry_event const& e) {
    *out << (e.store_failed ? "store: " : "handler: ");
    if (e.of) *out << to_string(*e.of) << ": record " << e.at.value() << ": ";
    *out << e.error << "; tried " << (e.attempts == 1 ? "once" : std::to_string(e.attempts) + " times")
         << ", will try again\n";
  }
  void on_dead_letter(dead_letter_event const& e) {
    *out << e.letter.what.topic() << '/' << e.letter.what.partition() << ": record " << e.letter.what.offset().value()
         << (e.skipped ? " skipped: " : " set aside: ") << e.letter.error << '\n';
  }
  void on_slow_handler(slow_event const& e) { *out << e.text << '\n'; }
  void on_log(log_event const& e) {
    if (e.level <= level) *out << e.line << '\n';
  }
};

namespace detail {

/// An observer without a runtime of its own is copied into the consumer.
template <class Observer>
struct observing {
  using runtime = Observer;
  static runtime open(Observer const& self, context const&) { return self; }
};
template <class Observer>
  requires requires { typename Observer::runtime; }
struct observing<Observer> {
  using runtime = typename Observer::runtime;
  static runtime open(Observer const& self, context const& c) { return Observer::open(self, c); }
};

/// Calls what is there, keeps what it throws.
template <class Observer>
struct teller {
  Observer& to;
  std::exception_ptr& kept;

  template <class Call>
  void guard(Call call) {
    try {
      call();
    } catch (...) {
      if (!kept) kept = std::current_exception();
    }
  }
#define SLUICE_TELL(name)                                               \
  template <class E>                                                    \
  void name(E const& e) {                                               \
    if constexpr (requires { to.name(e); }) guard([&] { to.name(e); }); \
  }
  SLUICE_TELL(on_claim)
  SLUICE_TELL(on_rebalance)
  SLUICE_TELL(on_position_error)
  SLUICE_TELL(on_handling)
  SLUICE_TELL(on_handled)
  SLUICE_TELL(on_advancing)
  SLUICE_TELL(on_advanced)
  SLUICE_TELL(on_refused)
  SLUICE_TELL(on_batch)
  SLUICE_TELL(on_retry)
  SLUICE_TELL(on_dead_letter)
  SLUICE_TELL(on_slow_handler)
  SLUICE_TELL(on_log)
#undef SLUICE_TELL
};

}  // namespace detail
}}  // namespace sluice::v0
