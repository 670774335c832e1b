/// \file detail/handling.hpp  Calls the handler, and does with its exceptions what on_failure says.
#pragma once
#include <sluice/detail/turn_state.hpp>

namespace sluice { inline namespace v0 { namespace detail {

template <class Slots>
class handling {
  using traits = engine_traits<Slots>;
  using failures = typename consumer_parts<Slots>::failures;
  static constexpr bool in_transaction = traits::in_transaction;
  static constexpr char const* foreign = "a handler threw something that is no std::exception";
  enum called_t { done, go_on, leave };

  turn_state<Slots>& turn_;
  time_point begun_{};
  bool keeping_ = false;  // a dead letter: what is thrown meanwhile is not the record's fault

 public:
  explicit handling(turn_state<Slots>& turn) : turn_(turn) {}

  /// True: every record is handled or set aside. False: the batch waits, or its transaction is to be run again.
  bool run() {
    if (in_transaction) hand().at = {};
    if constexpr (in_transaction && requires { turn_.tx->follow(hand().at); }) turn_.tx->follow(hand().at);
    all().tell().on_handling(hand().view());
    begun_ = all().clock.now();
    [[maybe_unused]] typename consumer_parts<Slots>::watch::call const watched{all().hang_watch, begun_};
    auto called = call();
    while (called == go_on) called = call();
    if (called == leave) return false;
    auto const took = all().clock.now() - begun_;
    all().last_call = took;
    all().figures.handling += took;
    if (!in_transaction) hand().handled = true;
    all().tell().on_handled(hand().view());
    warn_if_slow(took);
    return true;
  }

  /// Inside a catch: the store has refused what the handler wrote, and nothing of it is kept. Never goes on with the batch.
  bool failed_at_commit(error const& e) {
    bool known = false;
    if constexpr (in_transaction && requires { all().store.failed_at(); })
      if (auto const at = all().store.failed_at()) {
        hand().at = *at;
        known = true;
      }
    decide(e.what(), known && turn_.handler.each);
    return false;
  }

 private:
  consumer_parts<Slots>& all() { return turn_.all; }
  auto& hand() { return turn_.all.hand; }

  called_t call() {
    try {
      if (hand().parts().empty()) return done;
      if (in_transaction && hand().all_aside)
        set_all_aside();
      else if (!hand().excluded.empty())
        call_one_by_one();
      else if (turn_.handler.each)
        turn_.handler.each(turn_.handler.handler, hand().parts(), turn_.tx, hand().at);
      else
        turn_.handler.whole(turn_.handler.handler, hand().view(), turn_.tx);
      return done;
    } catch (store_error const&) {
      if constexpr (traits::advances_first) give_up_all();
      throw;
    } catch (std::exception const& e) {
      if (keeping_) throw;
      return decide(e.what());
    } catch (...) { return decide(foreign); }
  }

  /// Inside a catch: throws again where the policy is to stop. `one`: it is the current record that has failed, else the batch.
  called_t decide(std::string const& what) { return decide(what, turn_.handler.each); }
  called_t decide(std::string const& what, bool one) {
    if (begun_ != time_point{}) all().last_call = all().clock.now() - begun_;
    turn_.roll_back();
    hand().error = what;
    switch (count_failure(what, one)) {
      case verdict::stop:
        give_up_or_keep();
        throw_again(what);
      case verdict::again:
        return leave;
      case verdict::aside:
        break;
    }
    if constexpr (in_transaction) {
      if (one) {
        tell_of(letter(hand().current()));
        exclude_current();
      } else
        hand().all_aside = true;
      turn_.again = true;
      return leave;
    } else {
      if (!one) {
        set_all_aside();
        return done;
      }
      set_aside(hand().current());
      ++hand().at.index;
      hand().attempts = 0;
      return go_on;
    }
  }

  [[noreturn]] static void throw_again(std::string const& what) {
    try {
      throw;
    } catch (std::exception const&) { throw; } catch (...) {
      throw error(errc::handler_failed, what + "; throw types derived from it, so that it can be told what failed");
    }
  }

  void give_up_or_keep() {
    hand().attempts = 0;
    if constexpr (traits::advances_first) give_up_all();
  }

  verdict count_failure(std::string const& what, bool one) {
    if (hand().attempts == 0 || hand().failing != hand().at) {
      hand().failing = hand().at;
      hand().attempts = 0;
      hand().first_failure = all().clock.wall();
    }
    auto const v = all().on_failure.judge(++hand().attempts);
    if (v == verdict::again) {
      ++all().counts.retries;
      hand().due = all().clock.now() + all().on_failure.wait_after(hand().attempts);
      retry_event told{what, hand().attempts, hand().due, false};
      if (one) {
        told.of = topic_partition{std::string(hand().current().topic()), hand().current().partition()};
        told.at = hand().current().offset();
      }
      all().tell().on_retry(told);
    }
    return v;
  }

  /// `each` in a transaction that had to be rolled back: the known failures are set aside instead of called, further ones
  /// are undone by a savepoint where the transaction has them.
  void call_one_by_one() {
    if constexpr (in_transaction) {
      auto const parts = hand().parts();
      for (; hand().at.part < parts.size(); ++hand().at.part, hand().at.index = 0) {
        auto const& p = parts[hand().at.part];
        for (; p.begin + hand().at.index < p.end; ++hand().at.index) {
          if (auto const* x = excluded_current()) {
            keep({hand().current(), x->error, x->attempts, x->first});
            continue;
          }
          if constexpr (requires { turn_.tx->savepoint(); })
            call_with_savepoint();
          else
            turn_.handler.one(turn_.handler.handler, hand().current(), turn_.tx);
        }
      }
    }
  }

  void call_with_savepoint() {
    if constexpr (in_transaction) {
      turn_.tx->savepoint();
      try {
        turn_.handler.one(turn_.handler.handler, hand().current(), turn_.tx);
      } catch (store_error const&) { throw; } catch (std::exception const& e) {
        undo_or_throw(e.what());
        return;
      } catch (...) {
        undo_or_throw(foreign);
        return;
      }
      turn_.tx->release_savepoint();
    }
  }

  /// Inside a catch: only where the record is to be set aside at once; everything else ends the transaction.
  void undo_or_throw(std::string const& what) {
    if (all().on_failure.judge(1) != verdict::aside) throw;
    if constexpr (in_transaction) {
      turn_.tx->rollback_to_savepoint();
      hand().error = what;
      hand().attempts = 1;
      hand().first_failure = all().clock.wall();
      set_aside(hand().current());
      exclude_current();
    }
  }

  exclusion const* excluded_current() {
    auto const r = hand().current();
    auto const at = std::find_if(hand().excluded.begin(), hand().excluded.end(), [&](auto const& x) {
      return x.at == r.offset().value() && x.of.partition == r.partition() && x.of.topic == r.topic();
    });
    return at == hand().excluded.end() ? nullptr : &*at;
  }

  void exclude_current() {
    auto const r = hand().current();
    hand().excluded.push_back({{std::string{r.topic()}, r.partition()},
                               r.offset().value(),
                               hand().error,
                               hand().attempts,
                               hand().first_failure});
    hand().attempts = 0;
  }

  void set_all_aside() {
    for (record r : hand().view()) set_aside(r);
  }

  dead_letter letter(record r) { return {r, hand().error, std::max(hand().attempts, 1u), hand().first_failure}; }

  void set_aside(record r) {
    auto const l = letter(r);
    keep(l);
    tell_of(l);
  }

  /// With at_most_once the record will not come again, whatever becomes of its letter: best effort.
  void keep(dead_letter const& l) {
    if constexpr (!traits::advances_first)
      keep_or_throw(l);
    else if constexpr (!failures::skipping) {
      try {
        keep_or_throw(l);
      } catch (std::exception const& e) {
        keeping_ = false;
        all().tell().on_log(log_event{3, e.what()});
      }
    }
  }
  /// Where that fails, letters that were kept before may be gone, too: all of the batch comes again.
  void keep_or_throw(dead_letter const& l) {
    keeping_ = true;
    try {
      if constexpr (failures::store_keeps && sets_aside<typename Slots::store::runtime>)
        all().store.set_aside(all().on_failure.place(), l);
      else
        all().on_failure.keep(l, all().by());
    } catch (...) {
      if constexpr (!traits::advances_first) hand().offer_again();
      throw;
    }
    keeping_ = false;
  }
  void tell_of(dead_letter const& l) {
    ++(failures::skipping ? all().counts.skipped : all().counts.dead_letters);
    all().tell().on_dead_letter(dead_letter_event{l, failures::skipping});
  }

  void give_up_all() {
    all().counts.lost += hand().left();
    hand().clear(all().source);
  }

  void warn_if_slow(std::chrono::nanoseconds took) {
    if (took * 2 < all().max_poll) return;
    ++all().counts.slow_handlers;
    all().tell().on_slow_handler(slow_event{
        took, all().max_poll,
        "a batch took more than half of max.poll.interval.ms (" + std::to_string(all().max_poll.count()) +
            " ms) to handle; give micro_batch.max_records a smaller number before the group puts this member out"});
  }
};

}}}  // namespace sluice::v0::detail
