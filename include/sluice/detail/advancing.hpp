/// \file detail/advancing.hpp  Stores from → until for the batch in hand, and acts on the answer for each partition.
#pragma once
#include <sluice/detail/crash_point.hpp>
#include <sluice/detail/turn_state.hpp>
#include <sluice/offset_store/group_note.hpp>

#include <algorithm>

namespace sluice { inline namespace v0 { namespace detail {

template <class Slots>
class advancing {
  using traits = engine_traits<Slots>;
  using answer_list = late<std::vector<outcome>, Slots>;
  static constexpr unsigned refusals_for_a_duel = 8;
  static constexpr std::chrono::milliseconds soon{20};

  turn_state<Slots>& turn_;

 public:
  explicit advancing(turn_state<Slots>& turn) : turn_(turn) {}

  bool run() {
    all().tell().on_advancing(advance_event{hand().moves(), {}});
    auto const begun = all().clock.now();
    SLUICE_CRASH_POINT("advance");
    auto answers = copy(all().store.advance(hand().moves(), all().by()));
    SLUICE_CRASH_POINT("advanced");
    settle(answers);
    told(answers, begun);
    return traits::advances_first ? keep_applied(answers) : finish_applied(answers);
  }

  bool commit() {
    if constexpr (traits::in_transaction) {
      all().tell().on_advancing(advance_event{hand().moves(), {}});
      auto const begun = all().clock.now();
      auto answers = copy(all().store.advance(*turn_.tx, hand().moves(), all().by()));
      if (std::any_of(answers.begin(), answers.end(), [](outcome o) { return o != outcome::applied; })) {
        turn_.roll_back();
        told(answers, begun);
        leave_out(answers);
        turn_.again = !hand().empty() && hand().due <= all().clock.now();
        return false;
      }
      SLUICE_CRASH_POINT("commit");
      auto const end = all().store.commit(*std::exchange(turn_.tx, nullptr), all().by());
      SLUICE_CRASH_POINT("committed");
      if (end == outcome::refused || end == outcome::postponed) {
        std::fill(answers.begin(), answers.end(), end);
        told(answers, begun);
        hand().due = all().clock.now() + wait_after(++hand().store_attempts, all().jitter);
        return false;
      }
      if (end == outcome::unknown) {
        std::fill(answers.begin(), answers.end(), outcome::unknown);
        settle(answers);
      }
      told(answers, begun);
      return finish_applied(answers);
    } else {
      return true;
    }
  }

 private:
  consumer_parts<Slots>& all() { return turn_.all; }
  auto& hand() { return turn_.all.hand; }
  static answer_list copy(std::span<outcome const> answers) { return {answers.begin(), answers.end()}; }

  static bool has(answer_list const& answers, outcome o) {
    return std::find(answers.begin(), answers.end(), o) != answers.end();
  }

  void told(answer_list const& answers, time_point begun) {
    all().figures.advancing += all().clock.now() - begun;
    all().tell().on_advanced(advance_event{hand().moves(), answers});
  }

  /// Asks again about what is unknown, until it is known or time is up.
  void settle(answer_list& answers) {
    auto const by = all().by();
    while (has(answers, outcome::unknown)) {
      late<std::vector<move>, Slots> open;
      late<std::vector<std::size_t>, Slots> at;
      for (std::size_t i = 0; i < answers.size(); ++i)
        if (answers[i] == outcome::unknown) {
          open.push_back(hand().moves()[i]);
          at.push_back(i);
        }
      auto const told = all().store.settle(open, by);
      bool progress = false;
      for (std::size_t i = 0; i < at.size(); ++i) {
        progress = progress || told[i] != outcome::unknown;
        answers[at[i]] = told[i];
      }
      if (!progress) return;
    }
  }

  /// at_most_once: what is not stored is not handled.
  bool keep_applied(answer_list const& answers) {
    mirror(answers);
    for (std::size_t i = answers.size(); i-- > 0;) {
      if (answers[i] == outcome::applied) {
        all().refusals.erase(hand().moves()[i].of);
        continue;
      }
      if (answers[i] != outcome::postponed) all().counts.lost += hand().count(i);
      let_go(i, answers[i]);
    }
    hand().advanced = true;
    return !hand().empty();
  }

  /// Handled first: what is stored is done, what is refused comes again if it is still ours, what is postponed waits.
  bool finish_applied(answer_list const& answers) {
    mirror(answers);
    bool const waiting = has(answers, outcome::postponed);
    for (std::size_t i = answers.size(); i-- > 0;) {
      if (answers[i] == outcome::applied) {
        all().refusals.erase(hand().moves()[i].of);
        if (!waiting) continue;
        all().counts.records += hand().count(i);
        hand().drop(i, all().source);
      } else if (answers[i] != outcome::postponed)
        let_go(i, answers[i]);
    }
    if (waiting)
      hand().due = all().clock.now() + soon;
    else
      turn_.finish();
    return !waiting;
  }

  /// A transaction that was rolled back: what can't be advanced in it is left out.
  void leave_out(answer_list const& answers) {
    for (std::size_t i = answers.size(); i-- > 0;) {
      if (answers[i] == outcome::postponed)
        hand().due = all().clock.now() + soon;
      else if (answers[i] != outcome::applied)
        let_go(i, answers[i]);
    }
  }

  void let_go(std::size_t i, outcome why) {
    auto const of = hand().moves()[i].of;
    auto wait = soon;
    if (why == outcome::refused) {
      ++all().counts.refused;
      all().tell().on_refused(hand().moves()[i]);
      auto const n = ++all().refusals[of];
      if (n >= refusals_for_a_duel) {
        all().refusals.erase(of);
        all().kept = std::make_exception_ptr(
            error(errc::two_owners, "two consumers own " + to_string(of) + ": its advances were refused " +
                                        std::to_string(n) + " times in a row; give each program a group of its own"));
      }
      wait = wait_after(n, all().jitter);
    } else if (why == outcome::unknown)
      ++all().counts.unknown;
    hand().drop(i, all().source);
    all().source.reclaim(of, all().clock.now() + wait);
  }

  void mirror(answer_list const& answers) {
    if constexpr (requires { all().source.advanced(hand().moves()[0]); })
      for (std::size_t i = 0; i < answers.size(); ++i)
        if (answers[i] == outcome::applied) all().source.advanced(hand().moves()[i]);
    if constexpr (consumer_parts<Slots>::grouped) show_in_group(answers);
  }

  void show_in_group(answer_list const& answers) {
    if (!all().mirrors) return;
    auto& notes = all().to_mirror;
    notes.clear();
    for (std::size_t i = 0; i < answers.size(); ++i) {
      auto const& m = hand().moves()[i];
      if (answers[i] == outcome::applied && m.from != m.until)
        notes.push_back({.of = m.of,
                         .next = m.until,
                         .note = to_text({.log = m.log, .mine = m.mine, .store_id = all().store_id.value_or("")})});
    }
    if (!notes.empty()) all().source.positions().store_later(notes);
  }
};

}}}  // namespace sluice::v0::detail
