/// \file offset_store/group_ledger.hpp  Our own record of what we claimed and committed in a Kafka group.
#pragma once
#include <sluice/detail/crash_point.hpp>
#include <sluice/detail/late.hpp>
#include <sluice/detail/nonce.hpp>
#include <sluice/offset_store/group_note.hpp>
#include <sluice/source/concept.hpp>

#include <algorithm>
#include <chrono>
#include <map>
#include <random>
#include <set>
#include <thread>
#include <utility>

namespace sluice { inline namespace v0 { namespace detail {

/// Kafka has no compare and set: fence and position are compared here, with what this object itself claimed and stored;
/// against other members the group's generation guards. A commit without an answer may still land, so the client is
/// abandoned at once, and nothing more is stored until bind(). One thread; the group_positions are borrowed.
template <class Late>
class basic_group_ledger {
 public:
  /// A partition that was claimed and not given up since.
  struct place {
    offset next{};
    log_state log{};
    fence mine{};
    std::int32_t partitions = 0;  // of partition 0: the topic's known number
    bool there = false;           // a position is stored
    time_point touched{};         // when refresh() saw it first since it was stored
  };

 private:
  static constexpr std::chrono::hours commit_again_after{24};
  static constexpr std::chrono::minutes look_again_after{10};
  static constexpr std::chrono::seconds answer_within{5};

  group_positions* group_ = nullptr;
  bool abandoned_ = false;
  bool by_hand_ = false;
  std::map<topic_partition, place> ours_{};
  std::set<topic_partition> asked_for_{};  // by hand: each that was ever claimed here
  late<std::mt19937_64, Late> random_{std::random_device{}()};
  time_point look_again_{};

 public:
  /// Everything claimed before is forgotten: it went with the client. `member`: false where partitions are assigned by hand.
  void bind(group_positions& group, bool member = true) {
    group_ = &group;
    by_hand_ = !member;
    abandoned_ = false;
    ours_.clear();
  }
  bool by_hand() const { return by_hand_; }

  /// By hand, our own part of a topic is what was ever asked for: a claim that failed is tried again in pieces.
  void ask_for(std::vector<topic_partition> const& set) {
    if (by_hand_) asked_for_.insert(set.begin(), set.end());
  }
  std::set<topic_partition> const& asked_for() const { return asked_for_; }
  bool usable() const { return group_ && !abandoned_; }
  bool abandoned() const { return abandoned_; }
  group_positions& group() const { return *group_; }

  place const* find(topic_partition const& of) const {
    auto const at = ours_.find(of);
    return at == ours_.end() ? nullptr : &at->second;
  }
  /// A position of the topic is ours.
  bool has_of(std::string const& topic) const {
    return std::any_of(ours_.begin(), ours_.end(),
                       [&](auto const& o) { return o.first.topic == topic && o.second.there; });
  }
  void put(topic_partition const& of, place const& at) { ours_[of] = at; }
  void drop(topic_partition const& of) { ours_.erase(of); }
  void release(std::vector<claimed> const& claims) {
    for (auto const& c : claims) {
      if (auto const* at = find(c.of); at && at->mine == c.mine) drop(c.of);
    }
  }

  fence new_fence(std::uint64_t last_turn) { return {last_turn + 1, random_()}; }
  static std::int64_t wall_ms() { return detail::wall_ms(); }

  /// Nothing where the move has yet to be stored; else the answer that our own record gives.
  std::optional<outcome> answered_here(move const& m) const {
    auto const* at = find(m.of);
    if (!usable() || !at || !at->there || at->mine != m.mine) return outcome::refused;
    if (at->next == m.until && m.from != m.until) return outcome::applied;
    return at->next == m.from ? std::nullopt : std::optional{outcome::refused};
  }
  /// Whether it is stored, as our own record tells. One that goes nowhere counts as stored where it holds.
  bool is_stored(move const& m) const {
    auto const known = answered_here(m);
    return known ? *known == outcome::applied : m.from == m.until;
  }
  /// The move is stored, or remembered so that it will be.
  void moved(move const& m) {
    auto& at = ours_[m.of];
    at.next = m.until;
    at.log = m.log;
    at.touched = {};
  }

  static group_position position_of(topic_partition const& of, place const& at, std::string const& cause = {}) {
    return {
        .of = of,
        .next = at.next,
        .note = to_text({.partitions = at.partitions, .log = at.log, .mine = at.mine, .store_id = {}, .cause = cause}),
        .there = true};
  }
  /// As it is to be committed; of a move that answered_here() left open.
  group_position position_of(move const& m) const {
    return position_of(m.of, {.next = m.until, .log = m.log, .mine = m.mine, .partitions = find(m.of)->partitions});
  }
  /// Where a claimed partition stands by our own record.
  group_position position_of(topic_partition const& of) const { return position_of(of, *find(of)); }

  std::vector<claimed> record(std::vector<rewind> const& rewinds, time_point by) {
    late<std::vector<claimed>, Late> answers;
    late<std::vector<group_position>, Late> commits;
    late<std::vector<std::size_t>, Late> of_commit;
    for (auto const& r : rewinds) {
      claimed answer{.of = r.of, .next = r.to, .what = claimed::failed, .why = "claimed anew since"};
      if (auto const* at = find(r.of); usable() && at && at->mine == r.mine) {
        answer.log.incarnation = next_incarnation(at->log.incarnation, wall_ms());
        answer.mine = new_fence(at->mine.turn);
        commits.push_back(position_of(
            r.of, {.next = r.to, .log = answer.log, .mine = answer.mine, .partitions = at->partitions}, r.cause));
        of_commit.push_back(answers.size());
      }
      answers.push_back(std::move(answer));
    }
    auto const outcomes = commit(commits, by);
    for (std::size_t i = 0; i < outcomes.size(); ++i) {
      auto& answer = answers[of_commit[i]];
      answer.why = reason(outcomes[i]);
      if (outcomes[i] != outcome::applied) continue;
      answer.what = claimed::stored;
      answer.why = rewinds[of_commit[i]].cause;
      auto& at = ours_[answer.of];
      at = {answer.next, answer.log, answer.mine, at.partitions, true, {}};
    }
    return answers;
  }

  /// The only way in which anything is stored: waits out what is in the background, and never goes on after `unknown`.
  std::vector<outcome> commit(std::vector<group_position> const& set, time_point by) {
    if (set.empty()) return {};
    if (!usable()) return late<std::vector<outcome>, Late>(set.size(), outcome::refused);
    std::string failed;
    if (!quiet(by, failed)) return late<std::vector<outcome>, Late>(set.size(), outcome::postponed);
    SLUICE_CRASH_POINT("commit to the group");
    auto outcomes = group_->store(set, by);
    SLUICE_CRASH_POINT("committed to the group");
    outcomes.resize(set.size(), outcome::unknown);
    if (std::count(outcomes.begin(), outcomes.end(), outcome::unknown) > 0) abandon();
    return outcomes;
  }

  /// False where something stored in the background is still on its way at `by`; `failed` gets what the last of it
  /// failed with.
  bool quiet(time_point by, std::string& failed) {
    while (!group_->settled(failed)) {
      if (std::chrono::steady_clock::now() >= by) return false;
      std::this_thread::sleep_for(std::chrono::milliseconds{1});
    }
    return true;
  }

  /// Commits again what has not moved for a day: Kafka forgets the offsets of partitions that are assigned by hand.
  void refresh(time_point now) {
    if (!usable() || now < look_again_) return;
    look_again_ = now + look_again_after;
    late<std::vector<group_position>, Late> old;
    for (auto& [of, at] : ours_) {
      if (at.touched == time_point{}) at.touched = now;
      if (at.there && now - at.touched >= commit_again_after) old.push_back(position_of(of, at));
    }
    auto const outcomes = commit(old, now + answer_within);
    for (std::size_t i = 0; i < outcomes.size(); ++i) {
      if (outcomes[i] == outcome::applied) ours_[old[i].of].touched = now;
      if (outcomes[i] == outcome::refused) drop(old[i].of);
    }
  }

  static std::string reason(outcome o) {
    switch (o) {
      case outcome::postponed:
        return "the group is rebalancing";
      case outcome::refused:
        return "the group has given the partition away";
      case outcome::unknown:
        return "Kafka did not answer the commit in time";
      case outcome::applied:
        break;
    }
    return {};
  }

 private:
  void abandon() {
    abandoned_ = true;
    group_->abandon();
  }
};
using group_ledger = basic_group_ledger<void>;

}}}  // namespace sluice::v0::detail
