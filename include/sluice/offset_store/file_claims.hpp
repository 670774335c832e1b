/// \file offset_store/file_claims.hpp  Claims, moves and rewinds, as edits of a file_generation.
#pragma once
#include <sluice/detail/files.hpp>
#include <sluice/detail/late.hpp>
#include <sluice/detail/nonce.hpp>
#include <sluice/offset_store/file_generation.hpp>

#include <algorithm>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace sluice { inline namespace v0 { namespace detail {

inline wall_time file_wall_clock() {
  return std::chrono::floor<std::chrono::milliseconds>(std::chrono::system_clock::now());
}
inline std::int64_t in_ms(wall_time t) { return t.time_since_epoch().count(); }

inline fence next_fence(fence const& now) { return {now.turn + 1, random_bits() | 1}; }

enum class cas { fits, already, refused };

/// Compare-and-set: position and fence must be as the move says. `already`: it stands at the end, under this fence.
template <class Partition>
cas check_move(Partition const* p, move const& m) {
  if (!p || !p->there || p->owner != m.mine || m.mine.nonce == 0 || m.until < m.from) return cas::refused;
  if (p->next == m.until) return cas::already;
  return p->next == m.from ? cas::fits : cas::refused;
}

template <class Partition>
void apply_move(Partition& p, move const& m) {
  p.next = m.until;
  p.log = m.log;
}

template <class Partition>
Partition fresh_partition(offset next, std::int64_t incarnation) {
  return {.there = true, .next = next, .owner = {}, .log = {.incarnation = incarnation}};
}

/// The groups that were claimed for here: moves and rewinds name only the partition. One, in nearly every program.
template <class State>
class known_groups {
  late<std::vector<std::string>, State> groups_{};  // the latest last
  mutable typename State::topic_key last_{};

  template <class S>
  auto* find_in(S& state, std::string const& group, topic_partition const& of) const {
    if (last_.group != group || last_.topic != of.topic) last_ = {group, of.topic};
    auto const at = state.topics.find(last_);
    auto const index = static_cast<std::size_t>(of.partition);
    return at == state.topics.end() || of.partition < 0 || index >= at->second.size() ? nullptr : &at->second[index];
  }

 public:
  explicit known_groups(std::string first) { groups_.push_back(std::move(first)); }
  void add(std::string const& group) {
    std::erase(groups_, group);
    groups_.push_back(group);
  }
  std::string const& latest() const { return groups_.back(); }

  /// The group in which the move's fence holds, or the latest.
  template <class S>
  std::string const& of(S& state, move const& m) const {
    if (groups_.size() > 1)
      for (auto g = groups_.rbegin(); g != groups_.rend(); ++g)
        if (auto const* p = find_in(state, *g, m.of); p && p->owner == m.mine) return *g;
    return groups_.back();
  }
  template <class S>
  auto* find(S& state, move const& m) const {
    return find_in(state, of(state, m), m.of);
  }
};

template <class Answers>
Answers claims_failed(Answers answers, std::string const& why) {
  for (auto& c : answers) c = {.of = c.of, .what = claimed::failed, .why = why};
  return answers;
}

/// A claim of a set of partitions of one group. Called anew on each state that turns out to be the newest; what an
/// earlier call brought and this state has is left alone. Asks the resolver once for each thing.
template <class State>
struct file_claim {
  using claims = late<std::vector<claimed>, State>;
  using counts = late<std::map<std::string, std::size_t>, State>;

  std::string const& group;
  std::vector<topic_partition> const& set;
  start_resolver& resolve;
  time_point by;
  claims answers{};
  late<std::map<std::string, topic_start>, State> starts{};
  late<std::map<topic_partition, offset>, State> earliest{};

  offset earliest_of(topic_partition const& of) {
    auto const at = earliest.find(of);
    return at != earliest.end() ? at->second : earliest.emplace(of, resolve.earliest(of, by)).first->second;
  }

  claimed one(State& state, topic_partition const& of, counts& known) {
    if (of.partition < 0) return {.of = of, .what = claimed::failed, .why = "no partition has a negative number"};
    auto const now = in_ms(file_wall_clock());
    auto const index = static_cast<std::size_t>(of.partition);
    auto const [at, first] = state.topics.try_emplace({group, of.topic});
    auto& partitions = at->second;
    if (first) {
      auto start = starts.find(of.topic);
      if (start == starts.end()) start = starts.emplace(of.topic, resolve.start_of(of.topic, by)).first;
      for (auto const next : start->second.starts)
        partitions.push_back(fresh_partition<typename State::partition>(next, now));
      known[of.topic] = 0;
    }
    // How many were known before this claim: those from there on are new. 0 with a first claim, where all but what lies
    // beyond the starts is `first`.
    auto const before = known.try_emplace(of.topic, partitions.size()).first->second;
    while (partitions.size() <= index) {
      topic_partition const added{of.topic, static_cast<std::int32_t>(partitions.size())};
      partitions.push_back(fresh_partition<typename State::partition>(earliest_of(added), now));
    }
    auto& p = partitions[index];
    p.owner = next_fence(p.owner);
    claimed answer{.of = of, .next = p.next, .log = p.log, .mine = p.owner, .what = claimed::stored};
    if (!p.there) {
      answer.what = claimed::missing;
    } else if (index >= before) {
      auto const start = starts.find(of.topic);
      answer.what =
          before == 0 && start != starts.end() && index < start->second.starts.size() ? claimed::first : claimed::added;
    }
    return answer;
  }

  std::optional<bool> operator()(State& state) {
    bool changed = false;
    counts known;
    auto const earlier = std::exchange(answers, {});
    for (std::size_t i = 0; i < set.size(); ++i) {
      auto const at = state.topics.find({group, set[i].topic});
      bool const holds = i < earlier.size() && at != state.topics.end() && set[i].partition >= 0 &&
                         static_cast<std::size_t>(set[i].partition) < at->second.size() &&
                         at->second[static_cast<std::size_t>(set[i].partition)].owner == earlier[i].mine;
      answers.push_back(holds ? earlier[i] : one(state, set[i], known));
      changed = changed || (!holds && answers.back().what != claimed::failed);
    }
    return changed;
  }
  claims failed(std::string const& why) { return claims_failed(std::move(answers), why); }
};

/// Moves of partitions, each on its own. Answers whether the state was changed; `outcomes` as if it were published.
template <class State>
struct file_moves {
  known_groups<State> const& groups;
  std::span<move const> moves;
  late<std::vector<outcome>, State>& outcomes;
  late<std::vector<bool>, State> moved{};  ///< by this state's change
  bool holds = false;                      ///< some move is applied, now or before

  bool operator()(State& state) {
    outcomes.assign(moves.size(), outcome::refused);
    moved.assign(moves.size(), false);
    bool changed = holds = false;
    for (std::size_t i = 0; i < moves.size(); ++i) {
      auto* const p = groups.find(state, moves[i]);
      auto const fit = check_move(p, moves[i]);
      if (fit == cas::refused) continue;
      outcomes[i] = outcome::applied;
      holds = true;
      if (fit == cas::already) continue;
      apply_move(*p, moves[i]);
      moved[i] = changed = true;
    }
    return changed;
  }
};

/// Nobody owns the partitions of these claims then.
template <class State>
struct file_release {
  known_groups<State> const& groups;
  std::vector<claimed> const& claims;

  bool operator()(State& state) const {
    bool changed = false;
    for (auto const& c : claims) {
      auto* const p = groups.find(state, {.of = c.of, .mine = c.mine});
      if (!p || p->owner != c.mine || p->owner.nonce == 0) continue;
      p->owner.nonce = 0;
      changed = true;
    }
    return changed;
  }
};

/// Rewinds, each on its own: a new fence, incarnation = max(stored + 1, wall clock in ms), and a line in the list.
template <class State>
struct file_rewind {
  using claims = late<std::vector<claimed>, State>;

  known_groups<State> const& groups;
  std::vector<rewind> const& rewinds;
  claims answers{};

  std::optional<bool> operator()(State& state) {
    bool changed = false;
    auto const earlier = std::exchange(answers, {});
    for (std::size_t i = 0; i < rewinds.size(); ++i) {
      auto const& r = rewinds[i];
      if (i < earlier.size() && earlier[i].what == claimed::stored)
        if (auto const* p = groups.find(state, {.of = r.of, .mine = earlier[i].mine});
            p && p->owner == earlier[i].mine) {
          answers.push_back(earlier[i]);
          continue;
        }
      move const as{.of = r.of, .mine = r.mine};
      auto* const p = groups.find(state, as);
      if (!p || p->owner != r.mine || r.mine.nonce == 0) {
        answers.push_back(
            {.of = r.of, .what = claimed::failed, .why = "another owner has taken over " + to_string(r.of)});
        continue;
      }
      auto const now = file_wall_clock();
      auto const group = groups.of(state, as);
      auto const incarnation = next_incarnation(p->log.incarnation, in_ms(now));
      state.jumps.push_back({group, r.of, p->next, r.to, incarnation, now, r.cause});
      *p = {.there = true, .next = r.to, .owner = next_fence(p->owner), .log = {.incarnation = incarnation}};
      answers.push_back({.of = r.of, .next = p->next, .log = p->log, .mine = p->owner, .what = claimed::stored});
      changed = true;
    }
    if (state.jumps.size() > State::max_jumps)
      state.jumps.erase(state.jumps.begin(), state.jumps.end() - static_cast<std::ptrdiff_t>(State::max_jumps));
    return changed;
  }
  claims failed(std::string const& why) { return claims_failed(std::move(answers), why); }
};

}}}  // namespace sluice::v0::detail
