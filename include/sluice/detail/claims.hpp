/// \file detail/claims.hpp  The consumer as its source's owner: claims from the store, rewinds, what is given up, the mirror.
#pragma once
#include <sluice/detail/consumer_parts.hpp>
#include <sluice/detail/crash_point.hpp>
#include <sluice/offset_store/group_note.hpp>

#include <algorithm>

namespace sluice { inline namespace v0 { namespace detail {

template <class Slots>
class claims final : public source_owner {
  using traits = engine_traits<Slots>;
  consumer_parts<Slots>& all_;
  static constexpr std::chrono::hours keep_home_after{24};
  static constexpr std::chrono::minutes try_again_after{10};
  late<std::vector<position>, Slots> sought_{};
  bool flushed_ = true;
  std::optional<time_point> keep_home_at_{};
  bool keeping_home_ = false;  // in the background, not answered yet

 public:
  explicit claims(consumer_parts<Slots>& all) : all_(all) {}

  void start() {
    all_.store_id = all_.store.local_id();
    if (consumer_parts<Slots>::grouped && all_.store_id && all_.around.group.empty())
      throw error(errc::bad_configuration,
                  "this offset store lives on one host, and the group tells which; give the source a .group that "
                  "nothing else uses");
    if (!consumer_parts<Slots>::grouped && !forgets<typename Slots::store> && all_.around.group.empty())
      throw error(errc::bad_configuration,
                  "positions are kept under the source's .group, and it is empty; name one that nothing else uses");
    if constexpr (consumer_parts<Slots>::grouped && requires { all_.store.mirror(); })
      all_.mirrors = all_.store.mirror() && !all_.around.group.empty();
    if constexpr (consumer_parts<Slots>::failures::keeps_table) all_.store.prepare_table(all_.on_failure.place());
    if constexpr (traits::in_transaction && requires { all_.store.prepare_transactions(); })
      all_.store.prepare_transactions();
    bind();
  }

  void seek(topic_partition const& of, offset to) {
    if (!is_among(all_.source.lanes(), of))
      throw error(errc::bad_configuration,
                  "seek: " + to_string(of) + " is not this consumer's now; positions() lists those that are");
    std::erase_if(sought_, [&](auto const& p) { return p.of == of; });
    sought_.push_back({of, to});
  }

  /// What is due apart from batches: seeks in partitions that are being read, commits in the background.
  void tend(time_point now) {
    late<std::vector<rewind>, Slots> rewinds;
    for (auto const& l : all_.source.lanes())
      if (l.reading && !sought_.empty())
        if (auto const to = sought(l.of)) rewinds.push_back({l.of, *to, l.mine, "seek"});
    if (!rewinds.empty())
      for (auto const& c : record(rewinds)) {
        if (c.what == claimed::stored)
          all_.source.reposition(c);
        else
          all_.source.reclaim(c.of, now);
      }
    if constexpr (requires { all_.store.refresh(now); }) all_.store.refresh(now);
    if constexpr (consumer_parts<Slots>::grouped && assigned_by_hand<typename Slots::source>) keep_home_daily(now);
  }

  // ---- what the source asks

  std::vector<claimed> claim(std::vector<topic_partition> const& set, start_resolver& resolve) override {
    late<std::vector<claimed>, Slots> answers;
    try {
      bind_anew();
      answers = claim_at_home(set, resolve, all_.by());
      SLUICE_CRASH_POINT("claim noted");
    } catch (store_error const& e) {
      if (!waiting_may_help(e.code())) throw;
      answers = all_failed(set, e.what());
    } catch (error const& e) {
      if (e.code() != errc::no_broker && e.code() != errc::login_failed) throw;
      answers = all_failed(set, e.what());
    }
    for (auto const& c : answers) all_.tell().on_claim(c);
    return answers;
  }

  std::vector<claimed> record(std::vector<rewind> const& rewinds) override {
    for (auto const& r : rewinds) drop_from_hand(r.of);  // it was read elsewhere, under a fence that will be no more
    late<std::vector<claimed>, Slots> answers;
    try {
      SLUICE_CRASH_POINT("rewind");
      answers = all_.store.record(rewinds, all_.by());
      SLUICE_CRASH_POINT("rewound");
    } catch (store_error const& e) {
      for (auto const& r : rewinds) answers.push_back({.of = r.of, .what = claimed::failed, .why = e.what()});
    }
    for (auto const& c : answers) all_.tell().on_claim(c);
    for (std::size_t i = 0; i < answers.size(); ++i)
      if (answers[i].what != claimed::stored) seek_again(rewinds[i]);
    return answers;
  }

  time_point by() override { return all_.by(); }
  bool in_hand(topic_partition const& of) const override { return all_.hand.find(of) < all_.hand.moves().size(); }

  void giving_up(std::vector<lane> const& lanes, bool lost) override {
    if (!lost) store_what_is_handled(lanes);
    for (auto const& l : lanes) drop_from_hand(l.of);
    if constexpr (!assigned_by_hand<typename Slots::source>)  // those are the program's all the time
      for (auto const& l : lanes)
        if (auto const to = sought(l.of))
          troubled(errc::fenced, "the seek of " + to_string(l.of) + " to " + std::to_string(to->value()) +
                                     " is void: the group took the partition away first");
    for (auto const& l : lanes) all_.refusals.erase(l.of);
    if (lost) {
      if constexpr (requires { all_.store.lost(lanes.front().of); })
        for (auto const& l : lanes) all_.store.lost(l.of);
      return;
    }
    try {
      if constexpr (requires { all_.store.flush(all_.by()); }) flushed_ = all_.store.flush(all_.by());
      late<std::vector<claimed>, Slots> given;
      for (auto const& l : lanes)
        if (l.mine != fence{})
          given.push_back({.of = l.of, .next = l.next, .log = l.log, .mine = l.mine, .what = claimed::stored});
      SLUICE_CRASH_POINT("release");
      if (!given.empty()) all_.store.release(given, all_.by());
      SLUICE_CRASH_POINT("released");
    } catch (store_error const& e) { troubled(e.code(), e.what()); }
  }

  /// Whether a store at intervals had stored all, when partitions were given up last.
  bool flushed() const { return flushed_; }

  std::optional<offset> sought(topic_partition const& of) override {
    auto const at = std::find_if(sought_.begin(), sought_.end(), [&](auto const& p) { return p.of == of; });
    if (at == sought_.end()) return {};
    auto const to = at->next;
    sought_.erase(at);
    return to;
  }

  void found(position_event const& e) override {
    ++all_.counts.position_errors;
    all_.tell().on_position_error(e);
  }
  void rebalanced(rebalance_event const& e) override {
    ++all_.counts.rebalances;
    all_.tell().on_rebalance(e);
  }
  void troubled(errc, std::string const& text) override { all_.tell().on_log(log_event{4, text}); }
  void put_out(std::string const& text) override {
    ++all_.counts.slow_handlers;
    auto most = std::min(all_.max_records_now, all_.figures.records) / 2;
    if (std::chrono::duration<double> const took = all_.last_call; took.count() > 0) {  // half of the time, by its rate
      auto const fit = static_cast<double>(all_.figures.records) * (all_.max_poll / 2) / took;
      most = std::min(most, static_cast<std::size_t>(fit));
    }
    all_.max_records_now = std::max<std::size_t>(1, most);
    all_.tell().on_slow_handler(
        slow_event{all_.figures.handling, all_.max_poll,
                   text + "; the next batch has at most " + std::to_string(all_.max_records_now) + " records"});
  }

 private:
  void bind() {
    constexpr bool member = !assigned_by_hand<typename Slots::source>;
    if constexpr (!consumer_parts<Slots>::grouped)
      return;
    else if constexpr (requires { all_.store.bind(all_.source.positions(), member); })
      all_.store.bind(all_.source.positions(), member);
    else if constexpr (requires { all_.store.bind(all_.source.positions()); })
      all_.store.bind(all_.source.positions());
  }

  /// The client may be another one since all was lost; as long as something is held it is the same.
  void bind_anew() {
    for (auto const& l : all_.source.lanes())
      if (l.mine != fence{}) return;
    bind();
  }

  /// A seek that could not be stored is still wanted, unless there is a later one.
  void seek_again(rewind const& r) {
    if (r.cause == "seek" && !is_among(sought_, r.of)) sought_.push_back({r.of, r.to});
  }

  template <class Set>
  static bool is_among(Set const& set, topic_partition const& of) {
    for (auto const& one : set)
      if (one.of == of) return true;
    return false;
  }

  static std::vector<claimed> all_failed(std::vector<topic_partition> const& set, char const* why) {
    late<std::vector<claimed>, Slots> answers;
    answers.reserve(set.size());
    for (auto const& of : set) answers.push_back({.of = of, .what = claimed::failed, .why = why});
    return answers;
  }

  /// A local store is known by its id in the group's notes: a partition that was kept in another one is refused before it
  /// is claimed, and a claim holds once the group knows of it.
  std::vector<claimed> claim_at_home(std::vector<topic_partition> const& set, start_resolver& resolve, time_point by) {
    if constexpr (consumer_parts<Slots>::grouped)
      if (all_.store_id) return claim_where_it_is_kept(set, resolve, by);
    return all_.store.claim(all_.around.group, set, resolve, by);
  }

  std::vector<claimed> claim_where_it_is_kept(std::vector<topic_partition> const& set, start_resolver& resolve,
                                              time_point by) {
    auto& group = all_.source.positions();
    auto const id = all_.store_id.value_or(std::string{});
    late<std::vector<claimed>, Slots> strangers;
    late<std::vector<topic_partition>, Slots> ours;
    for (auto const& there : group.read(set, by)) {
      auto const note = read_note(there.note);
      if (there.failed)
        strangers.push_back({.of = there.of,
                             .what = claimed::failed,
                             .why = to_string(there.of) + ": the group's coordinator does not answer for it"});
      else if (note && !note->store_id.empty() && note->store_id != id)
        strangers.push_back({.of = there.of,
                             .what = claimed::foreign,
                             .why = "partition " + to_string(there.of) + " was last kept in another local store (" +
                                    note->store_id + ", this one is " + id +
                                    "); run on that store's host, or give this program a group of its own"});
      else
        ours.push_back(there.of);
    }
    auto answers = ours.empty() ? std::vector<claimed>{} : all_.store.claim(all_.around.group, ours, resolve, by);
    SLUICE_CRASH_POINT("claimed");
    keep_home(answers, by);
    answers.insert(answers.end(), strangers.begin(), strangers.end());
    return answers;
  }

  void keep_home(std::vector<claimed>& answers, time_point by) {
    late<std::vector<group_position>, Slots> notes;
    late<std::vector<claimed*>, Slots> waiting;
    for (auto& c : answers)
      if (c.what == claimed::stored || c.what == claimed::first || c.what == claimed::added) {
        notes.push_back({.of = c.of,
                         .next = c.next,
                         .note = to_text({.log = c.log, .mine = c.mine, .store_id = all_.store_id.value_or("")})});
        waiting.push_back(&c);
      }
    if (notes.empty()) return;
    auto const outcomes = all_.source.positions().store(notes, by);
    if (std::count(outcomes.begin(), outcomes.end(), outcome::unknown) > 0) all_.source.positions().abandon();
    for (std::size_t i = 0; i < waiting.size(); ++i)
      if (outcomes[i] != outcome::applied) {
        waiting[i]->what = claimed::failed;
        waiting[i]->why = to_string(waiting[i]->of) + ": the group did not take note of this store";
      }
  }

  /// Kafka forgets what is committed for partitions that are assigned by hand, even while the program lives: a local store's
  /// notes are committed again, mirrored or not, or another host's empty store would take the partition for a new one.
  void keep_home_daily(time_point now) {
    if (!all_.store_id) return;
    auto& group = all_.source.positions();
    if (std::string failed; keeping_home_ && group.settled(failed)) {
      keeping_home_ = false;
      if (!failed.empty()) keep_home_at_ = now + try_again_after;
    }
    if (!keep_home_at_) keep_home_at_ = now + keep_home_after;  // claims themselves take note
    if (now < *keep_home_at_) return;
    keep_home_at_ = now + keep_home_after;
    late<std::vector<group_position>, Slots> notes;
    for (auto const& l : all_.source.lanes()) {
      if (l.mine == fence{}) continue;
      auto const next = all_.stored_next(l);
      auto const log = next == l.next ? l.log : log_state{.incarnation = l.log.incarnation};
      notes.push_back(
          {.of = l.of, .next = next, .note = to_text({.log = log, .mine = l.mine, .store_id = *all_.store_id})});
    }
    if (notes.empty()) return;
    group.store_later(notes);
    keeping_home_ = true;
  }

  /// Handled, but not stored since the group was rebalancing: this is the last moment for it.
  void store_what_is_handled(std::vector<lane> const& lanes) {
    auto& hand = all_.hand;
    if (traits::in_transaction || hand.empty() || !hand.handled || hand.advanced) return;
    late<std::vector<move>, Slots> going;
    for (auto const& m : hand.moves())
      if (is_among(lanes, m.of)) going.push_back(m);
    if (going.empty()) return;
    try {
      all_.on_failure.flush(all_.by());
      (void)all_.store.advance(going, all_.by());
    } catch (error const& e) { troubled(e.code(), e.what()); }
  }

  void drop_from_hand(topic_partition const& of) {
    auto const i = all_.hand.find(of);
    if (i >= all_.hand.moves().size()) return;
    if (traits::advances_first) all_.counts.lost += all_.hand.count(i);
    all_.hand.drop(i, all_.source);
  }
};

}}}  // namespace sluice::v0::detail
