/// \file detail/batch_turn.hpp  The steps of one batch that a delivery puts in order: handle, advance, begin, commit.
#pragma once
#include <sluice/detail/consumer_parts.hpp>
#include <sluice/offset_store/group_note.hpp>

#include <random>

namespace sluice { inline namespace v0 { namespace detail {

template <class Slots>
class batch_turn {
  using traits = engine_traits<Slots>;
  using transaction = typename traits::transaction;
  static constexpr bool in_transaction = traits::in_transaction;
  static constexpr unsigned refusals_for_a_duel = 8;

  consumer_parts<Slots>& all_;
  handler_ref<transaction> const& handler_;
  transaction* tx_ = nullptr;
  bool again_ = false;

 public:
  batch_turn(consumer_parts<Slots>& all, handler_ref<transaction> const& handler) : all_(all), handler_(handler) {}

  bool runs_again() const { return again_; }

  bool begin() {
    again_ = false;
    if constexpr (in_transaction) tx_ = &all_.store.begin(hand().moves(), all_.by());
    return true;
  }

  bool handle() {
    if (hand().handled) return true;
    if (in_transaction) hand().at = {};
    all_.tell().on_handling(hand().view());
    auto const begun = all_.clock.now();
    auto called = call();
    while (called == go_on) called = call();
    if (called == leave) return false;
    auto const took = all_.clock.now() - begun;
    all_.figures.handling += took;
    if (!in_transaction) hand().handled = true;
    all_.tell().on_handled(hand().view());
    warn_if_slow(took);
    if constexpr (traits::advances_first) {
      flush_best_effort();
      finish();
    }
    return true;
  }

  bool advance() {
    if (hand().advanced) return true;
    if constexpr (!traits::advances_first) all_.on_failure.flush(all_.by());
    all_.tell().on_advancing(advance_event{hand().moves(), {}});
    auto const begun = all_.clock.now();
    auto answers = copy(all_.store.advance(hand().moves(), all_.by()));
    settle(answers);
    all_.figures.advancing += all_.clock.now() - begun;
    all_.tell().on_advanced(advance_event{hand().moves(), answers});
    return traits::advances_first ? keep_applied(answers) : finish_applied(answers);
  }

  bool commit() {
    if constexpr (in_transaction) {
      all_.tell().on_advancing(advance_event{hand().moves(), {}});
      auto const begun = all_.clock.now();
      auto answers = copy(all_.store.advance(*tx_, hand().moves(), all_.by()));
      if (std::ranges::any_of(answers, [](outcome o) { return o != outcome::applied; })) {
        roll_back();
        all_.tell().on_advanced(advance_event{hand().moves(), answers});
        leave_out(answers);
        again_ = !hand().empty() && hand().due <= all_.clock.now();
        return false;
      }
      auto const end = all_.store.commit(*tx_, all_.by());
      tx_ = nullptr;
      if (end == outcome::refused || end == outcome::postponed) {
        hand().due = all_.clock.now() + wait_for(++hand().store_attempts);
        return false;
      }
      if (end == outcome::unknown) {
        std::ranges::fill(answers, outcome::unknown);
        settle(answers);
      }
      all_.figures.advancing += all_.clock.now() - begun;
      all_.tell().on_advanced(advance_event{hand().moves(), answers});
      return finish_applied(answers);
    }
    return true;
  }

  /// Not the record's fault: nothing was stored, and the batch stays as it is.
  void store_failed(store_error const& e) {
    roll_back();
    ++all_.counts.store_failures;
    auto const attempts = ++hand().store_attempts;
    hand().due = all_.clock.now() + wait_for(attempts);
    all_.tell().on_retry(retry_event{e.what(), attempts, hand().due, true});
  }

 private:
  detail::hand& hand() { return all_.hand; }
  static std::vector<outcome> copy(std::span<outcome const> answers) { return {answers.begin(), answers.end()}; }

  /// Growing, with jitter: 50 ms to 5 s.
  static std::chrono::milliseconds wait_for(unsigned attempts) {
    thread_local std::minstd_rand random{std::random_device{}()};
    auto const ceiling = std::min<unsigned>(100u << std::min(attempts - 1, 6u), 5'000u);
    return std::chrono::milliseconds{ceiling / 2 + random() % (ceiling / 2)};
  }

  // ---- handling

  enum called_t { done, go_on, leave };

  called_t call() {
    try {
      if (in_transaction && hand().all_aside)
        set_all_aside();
      else if (!hand().excluded.empty())
        call_one_by_one();
      else if (handler_.each)
        handler_.each(handler_.handler, hand().parts(), tx_, hand().at);
      else
        handler_.whole(handler_.handler, hand().view(), tx_);
      return done;
    } catch (store_error const&) {
      if constexpr (traits::advances_first) give_up_all();
      throw;
    } catch (std::exception const& e) { return decide(e.what()); } catch (...) {
      return decide(foreign);
    }
  }

  static constexpr char const* foreign = "a handler threw something that is no std::exception";

  /// Inside a catch: throws again where the policy is to stop.
  called_t decide(std::string const& what) {
    roll_back();
    hand().error = what;
    switch (count_failure(what)) {
      case verdict::stop:
        give_up_or_keep();
        throw_again(what);
      case verdict::again:
        return leave;
      case verdict::aside:
        break;
    }
    if constexpr (in_transaction) {
      if (handler_.each)
        exclude_current();
      else
        hand().all_aside = true;
      again_ = true;
      return leave;
    } else {
      if (!handler_.each) {
        set_all_aside();
        return done;
      }
      set_aside(hand().current(), what, hand().attempts, hand().first_failure);
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

  verdict count_failure(std::string const& what) {
    if (hand().attempts == 0 || hand().failing != hand().at) {
      hand().failing = hand().at;
      hand().attempts = 0;
      hand().first_failure = all_.clock.wall();
    }
    auto const v = all_.on_failure.judge(++hand().attempts);
    if (v == verdict::again) {
      ++all_.counts.retries;
      hand().due = all_.clock.now() + all_.on_failure.wait_after(hand().attempts);
      all_.tell().on_retry(retry_event{what, hand().attempts, hand().due, false});
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
            set_aside(hand().current(), x->error, x->attempts, x->first);
            continue;
          }
          if constexpr (requires { tx_->savepoint(); })
            call_with_savepoint();
          else
            handler_.one(handler_.handler, hand().current(), tx_);
        }
      }
    }
  }

  void call_with_savepoint() {
    if constexpr (in_transaction) {
      tx_->savepoint();
      try {
        handler_.one(handler_.handler, hand().current(), tx_);
      } catch (store_error const&) { throw; } catch (std::exception const& e) {
        undo_or_throw(e.what());
        return;
      } catch (...) {
        undo_or_throw(foreign);
        return;
      }
      tx_->release_savepoint();
    }
  }

  /// Inside a catch: only where the record is to be set aside at once; everything else ends the transaction.
  void undo_or_throw(std::string const& what) {
    if (all_.on_failure.judge(1) != verdict::aside) throw;
    if constexpr (in_transaction) {
      tx_->rollback_to_savepoint();
      set_aside(hand().current(), what, 1, all_.clock.wall());
    }
  }

  exclusion const* excluded_current() {
    auto const r = hand().current();
    auto const at = std::ranges::find_if(hand().excluded, [&](exclusion const& x) {
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
    for (record r : hand().view()) set_aside(r, hand().error, hand().attempts, hand().first_failure);
  }

  void set_aside(record r, std::string const& what, unsigned attempts, wall_time first) {
    using failures = decltype(all_.on_failure);
    dead_letter const letter{r, what, std::max(attempts, 1u), first};
    if constexpr (failures::skipping && traits::advances_first) {
    } else if constexpr (failures::store_keeps && sets_aside<decltype(all_.store)>)
      all_.store.set_aside(all_.on_failure.place(), letter);
    else
      all_.on_failure.keep(letter, all_.by());
    ++(failures::skipping ? all_.counts.skipped : all_.counts.dead_letters);
    all_.tell().on_dead_letter(dead_letter_event{letter, failures::skipping});
  }

  void give_up_all() {
    all_.counts.lost += hand().records();
    hand().clear(all_.source);
  }

  void warn_if_slow(std::chrono::nanoseconds took) {
    if (took * 2 < all_.max_poll) return;
    ++all_.counts.slow_handlers;
    all_.tell().on_slow_handler(slow_event{
        took, all_.max_poll,
        "a batch took more than half of max.poll.interval.ms (" + std::to_string(all_.max_poll.count()) +
            " ms) to handle; give micro_batch.max_records a smaller number before the group puts this member out"});
  }

  // ---- advancing

  /// Asks again about what is unknown, until it is known or time is up.
  void settle(std::vector<outcome>& answers) {
    auto const by = all_.by();
    while (std::ranges::find(answers, outcome::unknown) != answers.end()) {
      std::vector<move> open;
      std::vector<std::size_t> at;
      for (std::size_t i = 0; i < answers.size(); ++i)
        if (answers[i] == outcome::unknown) {
          open.push_back(hand().moves()[i]);
          at.push_back(i);
        }
      auto const told = all_.store.settle(open, by);
      bool progress = false;
      for (std::size_t i = 0; i < at.size(); ++i) {
        progress = progress || told[i] != outcome::unknown;
        answers[at[i]] = told[i];
      }
      if (!progress) return;
    }
  }

  /// at_most_once: what is not stored is not handled.
  bool keep_applied(std::vector<outcome> const& answers) {
    mirror(answers);
    for (std::size_t i = answers.size(); i-- > 0;) {
      if (answers[i] == outcome::applied) {
        all_.refusals.erase(hand().moves()[i].of);
        continue;
      }
      if (answers[i] != outcome::postponed) all_.counts.lost += hand().count(i);
      let_go(i, answers[i]);
    }
    hand().advanced = true;
    return !hand().empty();
  }

  /// Handled first: what is stored is done, what is refused comes again if it is still ours, what is postponed waits.
  bool finish_applied(std::vector<outcome> const& answers) {
    mirror(answers);
    bool const waiting = std::ranges::find(answers, outcome::postponed) != answers.end();
    for (std::size_t i = answers.size(); i-- > 0;) {
      if (answers[i] == outcome::applied) {
        all_.refusals.erase(hand().moves()[i].of);
        if (waiting) hand().drop(i, all_.source);
      } else if (answers[i] != outcome::postponed)
        let_go(i, answers[i]);
    }
    if (waiting)
      hand().due = all_.clock.now() + std::chrono::milliseconds{20};
    else
      finish();
    return !waiting;
  }

  /// A transaction that was rolled back: what can't be advanced in it is left out.
  void leave_out(std::vector<outcome> const& answers) {
    for (std::size_t i = answers.size(); i-- > 0;) {
      if (answers[i] == outcome::postponed)
        hand().due = all_.clock.now() + std::chrono::milliseconds{20};
      else if (answers[i] != outcome::applied)
        let_go(i, answers[i]);
    }
  }

  void let_go(std::size_t i, outcome why) {
    auto const of = hand().moves()[i].of;
    auto wait = std::chrono::milliseconds{20};
    if (why == outcome::refused) {
      ++all_.counts.refused;
      all_.tell().on_refused(hand().moves()[i]);
      auto const n = ++all_.refusals[of];
      if (n >= refusals_for_a_duel) {
        all_.refusals.erase(of);
        all_.kept = std::make_exception_ptr(
            error(errc::two_owners, "two consumers own " + to_string(of) + ": its advances were refused " +
                                        std::to_string(n) + " times in a row; give each program a group of its own"));
      }
      wait = wait_for(n);
    } else if (why == outcome::unknown)
      ++all_.counts.unknown;
    hand().drop(i, all_.source);
    all_.source.reclaim(of, all_.clock.now() + wait);
  }

  void mirror(std::vector<outcome> const& answers) {
    if (!all_.mirrors) return;
    auto& notes = all_.to_mirror;
    notes.clear();
    for (std::size_t i = 0; i < answers.size(); ++i) {
      auto const& m = hand().moves()[i];
      if (answers[i] == outcome::applied)
        notes.push_back({.of = m.of,
                         .next = m.until,
                         .note = to_text({.log = m.log, .mine = m.mine, .store_id = all_.store_id.value_or("")})});
    }
    if (!notes.empty()) all_.source.positions().store_later(notes);
  }

  void flush_best_effort() {
    try {
      all_.on_failure.flush(all_.by());
    } catch (error const& e) { all_.tell().on_log(log_event{3, e.what()}); }
  }

  void roll_back() {
    if constexpr (in_transaction)
      if (tx_) all_.store.rollback(*std::exchange(tx_, nullptr));
  }

  void finish() {
    auto& f = all_.figures;
    if (!hand().empty()) {
      ++all_.counts.batches;
      all_.counts.records += hand().records();
      all_.counts.bytes += hand().bytes();
      f.records = hand().records();
    }
    hand().clear(all_.source);
    f.lag = all_.total_lag();
    f.rate = all_.allowed_rate();
    all_.rate.completed({.time = f.time,
                         .records = f.records,
                         .processing_delay = f.handling + f.advancing,
                         .scheduling_delay = f.scheduling_delay});
    all_.tell().on_batch(f);
    if (f.handling * 8 < all_.max_poll && all_.max_records_now < all_.batching.max_records)
      all_.max_records_now = std::min(all_.batching.max_records, all_.max_records_now * 2);
  }
};

}}}  // namespace sluice::v0::detail
