/// \file detail/batch_turn.hpp  The steps of one batch that a delivery puts in order: handle, advance, begin, commit.
#pragma once
#include <sluice/detail/advancing.hpp>
#include <sluice/detail/crash_point.hpp>
#include <sluice/detail/handling.hpp>

namespace sluice { inline namespace v0 { namespace detail {

/// Models turn.
template <class Slots>
class batch_turn {
  using traits = engine_traits<Slots>;

  consumer_parts<Slots>& all_;
  turn_state<Slots> state_;

 public:
  batch_turn(consumer_parts<Slots>& all, handler_ref<typename traits::transaction> const& handler)
      : all_(all), state_{all, handler} {}

  bool runs_again() const { return state_.again; }

  bool handle() {
    if (all_.hand.handled) return true;
    if (!handling<Slots>{state_}.run()) return false;
    SLUICE_CRASH_POINT("handled");
    if constexpr (traits::advances_first) {
      flush_best_effort();
      state_.finish();
    }
    return true;
  }

  bool advance() {
    if (all_.hand.advanced) return true;
    if constexpr (!traits::advances_first) flush_or_handle_again();
    return advancing<Slots>{state_}.run();
  }

  bool begin() {
    state_.again = false;
    if constexpr (traits::in_transaction) state_.tx = &all_.store.begin(all_.hand.moves(), all_.by());
    SLUICE_CRASH_POINT("begun");
    return true;
  }

  /// A store that sees only now that it can't do what the handler asked for: that is the handler's failure.
  bool commit() {
    try {
      return advancing<Slots>{state_}.commit();
    } catch (store_error const&) { throw; } catch (error const& e) {
      if (e.code() != errc::bad_statement) throw;
      return handling<Slots>{state_}.failed_at_commit(e);
    }
  }

  /// Not the record's fault: nothing was stored, and the batch stays as it is.
  void store_failed(store_error const& e) {
    state_.roll_back();
    ++all_.counts.store_failures;
    auto const attempts = ++all_.hand.store_attempts;
    all_.hand.due = all_.clock.now() + wait_after(attempts, all_.jitter);
    all_.tell().on_retry(retry_event{e.what(), attempts, all_.hand.due, true});
  }

 private:
  /// Dead letters that did not become durable may be gone, so their records come again, and are kept anew.
  void flush_or_handle_again() {
    try {
      all_.on_failure.flush(all_.by());
    } catch (...) {
      all_.hand.offer_again();
      throw;
    }
  }
  void flush_best_effort() {
    try {
      all_.on_failure.flush(all_.by());
    } catch (error const& e) { all_.tell().on_log(log_event{3, e.what()}); }
  }
};

}}}  // namespace sluice::v0::detail
