/// \file testing/simulation/store.hpp  What a simulated offset store has durable, and the requests that are still on their way to it.
#pragma once
#include <sluice/offset_store/concept.hpp>
#include <sluice/testing/simulation/cluster.hpp>
#include <sluice/testing/simulation/rows.hpp>

#include <functional>

namespace sluice { inline namespace v0 { namespace testing {

/// A transaction that was committed to simulated_offsets, as a check sees it then: all of it is borrowed.
struct simulated_commit {
  struct part {
    std::int32_t partition = 0;
    std::int64_t from = 0, until = 0;
  };
  std::vector<part> parts{};
  std::span<std::uint32_t const> records{};      ///< whose effect it holds, by their numbers
  std::span<simulated::output const> outputs{};  ///< in the order in which they were written
  std::span<simulated::state_row const> rows{};  ///< of all states and partitions, as they are now
};

namespace simulated {

/// One partition of an advance, without a name.
struct numbered_move {
  int partition = 0;
  std::int64_t from = 0, until = 0;
  fence mine{};
  log_state log{};
};

/// Rows with compare and set, and the results of transactions. Outlives all processes.
class store {
 public:
  struct row {
    bool there = false;
    std::int64_t next = 0;
    log_state log{};
    fence mine{};
  };
  /// A request that arrives later, or a transaction that is open.
  struct request {
    list<numbered_move> moves{};
    list<std::uint32_t> effects{}, aside{};
    list<std::int32_t> touched{};
    list<state_row> written{};
    list<output> outputs{};
    bool in_transaction = false;
    bool over = false;
  };

 private:
  struct last_claim {
    std::int32_t life = -1;
    fence mine{};
  };
  cluster& cluster_;
  list<row> rows_{};
  list<request> requests_{};
  list<last_claim> claims_{};
  list<state_row> state_{};
  list<list<row>> before_{};  // what each row has been
  std::string wrong_{};
  list<numbered_move> never_{};  // settle has said that they are not carried out any more
  int known_ = 0;
  std::int64_t down_until_ = 0;
  bool unmet_ = false;

 public:
  /// Answers nobody before; it counts as a fault once somebody has asked.
  void go_down_until(std::int64_t at) {
    down_until_ = at;
    unmet_ = true;
  }
  bool is_down() {
    if (cluster_.world.now >= down_until_) return false;
    if (std::exchange(unmet_, false)) ++cluster_.world.hit[static_cast<std::size_t>(fault::store_down)];
    return true;
  }

  /// Asked after each commit of a transaction, outside of processes: what is wrong with what is there now, or nothing.
  std::function<std::string(simulated_commit const&)> const* on_commit = nullptr;

  explicit store(cluster& c) : cluster_(c) {}
  simulated::world& world() { return cluster_.world; }
  list<state_row> const& state() const { return state_; }
  void reset() {
    rows_.clear();
    requests_.clear();
    claims_.clear();
    before_.clear();
    never_.clear();
    state_.clear();
    claims_.resize(schedule::most_processes * witness::most_partitions);
    known_ = 0;
    down_until_ = 0;
  }

  /// What a store has now that does not tell by itself.
  void shows(int p, row const& is) {
    auto& was = at(p);
    if (was.there && is.next != was.next && is.log.incarnation == was.log.incarnation)
      may_be_carried_out({p, was.next, is.next, is.mine});
    was = is;
  }
  int known() const { return known_; }
  row& at(int p) {
    if (rows_.size() <= static_cast<std::size_t>(p)) rows_.resize(static_cast<std::size_t>(p) + 1);
    return rows_[static_cast<std::size_t>(p)];
  }
  /// The topic's first claim, or partitions beyond those that are known; nothing where another one was quicker.
  void create(int p, std::int64_t next) {
    auto& r = at(p);
    known_ = std::max(known_, p + 1);
    if (r.there) return;
    r = {true, next, {.incarnation = cluster_.world.wall_ms()}, {}};
    cluster_.witness.began(p, next, r.log.incarnation);
  }
  fence claim(int process, int p) {
    auto& w = cluster_.world;
    auto const put_out = [&](int other) {
      return other != process && is_current(other, p) && cluster_.group.is_owner(other, w.life_of(other), p);
    };
    bool late = false;
    for (int other = 0; other < w.plan.processes; ++other) late |= put_out(other);
    auto const pauses = only(fault::pause_before) | only(fault::pause_after) | only(fault::stall);
    w.meets(meeting::late_claim, (w.plan.faults & pauses) != 0 && cluster_.group.has_members(), late);
    return new_fence(p);
  }
  /// As it was at some time, under a fence that is made where nobody else hears of it; nothing where it never was another.
  std::optional<row> stale(int p, std::int64_t amount) {
    auto const& all = before(p);
    if (all.empty()) return {};
    auto old = all[all.size() - 1 - static_cast<std::size_t>(amount / ms) % std::min<std::size_t>(all.size(), 8)];
    old.mine = {old.mine.turn + 1, cluster_.world.luck.next()};
    return old;
  }
  fence new_fence(int p) {
    remember(p);
    auto& mine = at(p).mine;
    return mine = {mine.turn + 1, cluster_.world.luck.next()};
  }
  void answered(int process, int p, fence f) {
    claims_[place(process, p)] = {cluster_.world.life_of(process), f};
    cluster_.witness.claimed(process, p, at(p).mine == f);
  }
  /// Does the process have the last claim?
  bool is_current(int process, int p) {
    auto const& c = claims_[place(process, p)];
    return c.life == cluster_.world.life_of(process) && at(p).there && at(p).mine == c.mine;
  }

  outcome would(numbered_move const& m, bool in_transaction) {
    auto const& r = at(m.partition);
    if (!r.there || r.mine != m.mine) return outcome::refused;
    if (m.from == m.until) return r.next == m.from ? outcome::applied : outcome::refused;
    if (r.next == m.until) return in_transaction ? outcome::refused : outcome::applied;
    return r.next == m.from && m.from < m.until ? outcome::applied : outcome::refused;
  }
  /// With it go the records that were set aside in its partition.
  outcome apply(numbered_move const& m, std::span<std::uint32_t const> aside) {
    auto const what = would(m, false);
    if (what == outcome::applied && at(m.partition).next != m.until) put(m, nullptr, aside);
    cluster_.world.note(what == outcome::applied ? "stored" : "not stored", m.partition, m.from, m.until);
    return what;
  }
  /// All or nothing.
  outcome commit(request const& tx) {
    auto const& moves = tx.moves;
    for (auto const& m : moves)
      if (would(m, true) != outcome::applied) return outcome::refused;
    for (auto const& m : moves) {
      if (m.from != m.until) put(m, &tx.effects, tx.aside);
      cluster_.world.note("stored with results", m.partition, m.from, m.until);
    }
    cluster_.witness.wrote(tx.effects);
    auto const fenced = [&](int p) {
      return std::any_of(moves.begin(), moves.end(), [&](auto const& m) { return m.partition == p; });
    };
    for (auto const id : tx.effects)
      if (!fenced(cluster_.topic.record(id).partition))
        cluster_.world.violated("effects", "results were committed without the offset of their partition");
    for (auto const p : tx.touched)
      if (!fenced(p)) cluster_.world.violated("effects", "what belongs to a partition was committed without its fence");
    for (auto const& one : tx.outputs)
      if (!fenced(one.partition))
        cluster_.world.violated("effects", "a partition's output was committed without its fence");
    for (auto const& one : tx.written) {
      if (one.partition >= 0 && !fenced(one.partition))
        cluster_.world.violated("effects", "a partition's state was committed without its fence");
      put_in(state_, one, false);
    }
    if (on_commit && *on_commit) check(tx);
    return outcome::applied;
  }

  // ---- what is on its way

  std::size_t open(bool in_transaction) {
    auto& r = requests_.emplace_back();
    r.in_transaction = in_transaction;
    return requests_.size() - 1;
  }
  request& at(std::size_t number) { return requests_[number]; }
  template <class Rows, class Outputs>
  void keep(std::size_t number, Rows const& written, Outputs const& outputs) {
    auto& r = requests_[number];
    for (auto const& one : written) put_in(r.written, one, true);
    for (auto const& one : outputs) r.outputs.push_back({one.partition, text{one.text.data(), one.text.size()}});
  }
  void arrives_later(std::size_t number, std::int64_t when) {
    cluster_.world.later(
        when,
        [](void* self, std::int64_t which) { static_cast<store*>(self)->arrives(static_cast<std::size_t>(which)); },
        this, static_cast<std::int64_t>(number));
  }
  /// Settle's answer is final, also for what is still on its way.
  void refused_for_good(numbered_move const& m) { never_.push_back(m); }
  /// The session behind a transaction is ended: it will not be committed any more.
  void end_transactions_with(int p, fence mine) {
    for (auto& r : requests_)
      if (r.in_transaction)
        for (auto const& m : r.moves) r.over |= m.partition == p && m.mine == mine;
  }

 private:
  list<row>& before(int p) {
    if (before_.size() <= static_cast<std::size_t>(p)) before_.resize(static_cast<std::size_t>(p) + 1);
    return before_[static_cast<std::size_t>(p)];
  }
  void remember(int p) {
    if (at(p).there) before(p).push_back(at(p));
  }
  void check(request const& tx) {
    {
      struct back {
        arena* mine = std::exchange(arena_in_use, nullptr);
        ~back() { arena_in_use = mine; }
      } const restore{};
      simulated_commit seen{.records = tx.effects, .outputs = tx.outputs, .rows = state_};
      for (auto const& m : tx.moves) seen.parts.push_back({m.partition, m.from, m.until});
      wrong_ = (*on_commit)(seen);
    }
    if (!wrong_.empty()) cluster_.world.violated("state", wrong_);
  }
  static std::size_t place(int process, int p) {
    return static_cast<std::size_t>(process) * witness::most_partitions + static_cast<std::size_t>(p);
  }
  void may_be_carried_out(numbered_move const& m) {
    for (auto const& n : never_)
      if (n.partition == m.partition && n.mine == m.mine && n.from == m.from && n.until == m.until)
        cluster_.world.violated("settle", "an advance is carried out after settle has said that it never will be");
  }
  void put(numbered_move const& m, list<std::uint32_t> const* effects, std::span<std::uint32_t const> aside) {
    may_be_carried_out(m);
    remember(m.partition);
    auto& r = at(m.partition);
    r.next = m.until;
    r.log = m.log;
    cluster_.witness.moved(m.partition, m.from, m.until, m.log.incarnation, effects, aside);
  }
  void arrives(std::size_t number) {
    auto& r = requests_[number];
    if (std::exchange(r.over, true)) return;
    cluster_.world.note("a late request", -1, static_cast<std::int64_t>(number));
    if (r.in_transaction)
      (void)commit(r);
    else
      for (auto const& m : r.moves) (void)apply(m, r.aside);
  }
};

}  // namespace simulated
}}}  // namespace sluice::v0::testing
