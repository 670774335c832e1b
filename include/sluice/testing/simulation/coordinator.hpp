/// \file testing/simulation/coordinator.hpp  A simulated group: members, generations, who reads what, and the offsets that it keeps.
#pragma once
#include <sluice/offset_store/group_note.hpp>
#include <sluice/source/concept.hpp>
#include <sluice/testing/simulation/witness.hpp>

namespace sluice { inline namespace v0 { namespace testing { namespace simulated {

/// Rebalances as brokers and clients do them: a member that joins, leaves or is not heard of for session_timeout starts one.
/// When all have joined there is a new generation, and its leader, the oldest member, shares the partitions out by range.
/// Eager: all members give up what they have before they join. Cooperative: they keep what they have while they join; what is
/// to go to another member is given up afterwards, which starts the next rebalance.
class coordinator {
 public:
  struct member {
    int id = 0;
    int process = 0;
    std::int32_t life = 0;
    int name = -1;              ///< -1: none
    bool joined = true;         ///< into the coming generation
    std::int64_t hears_at = 0;  ///< of the rebalance, with a heartbeat
    bool news = false;          ///< an assignment that it has not been told of
    std::int64_t silent_from = -1;
    list<int> assigned{};
    list<int> leaving{};  ///< cooperative: to be given up
  };
  struct committed {
    bool there = false;
    std::int64_t next = 0;
    text note{};
  };
  struct wish {  // one partition of a commit
    int partition = 0;
    std::int64_t next = 0;
    text note{};
  };
  static constexpr std::int64_t session_timeout = 10 * seconds, rebalance_timeout = 30 * seconds;

 private:
  world& world_;
  topic& topic_;
  witness& witness_;
  list<member> members_{};
  list<committed> committed_{};
  list<int> fenced_{};  // members whose name another one has come under
  std::int64_t generation_ = 0;
  bool preparing_ = false;   // until all have joined
  bool completing_ = false;  // until the leader has shared out
  std::int64_t rebalances_ = 0;
  int ids_ = 0;
  std::int64_t moving_until_ = 0;
  bool move_unmet_ = false;
  bool due_ = false;  // a rebalance, once it is there

 public:
  bool cooperative = false;
  bool has_names = false;      ///< group.instance.id: who comes under one is the member that has it
  bool authoritative = false;  ///< the group is the offset store, not only a mirror of it

  coordinator(world& w, topic& t, witness& s) : world_(w), topic_(t), witness_(s) {}
  void reset() {
    members_.clear();
    committed_.clear();
    fenced_.clear();
    generation_ = rebalances_ = 0;
    preparing_ = completing_ = false;
    ids_ = 0;
    moving_until_ = 0;
    move_unmet_ = due_ = false;
  }

  // ---- which broker it is

  /// Until then each request is told that this is not the coordinator, and clients ask again. What it has stored it finds again,
  /// and its members, to whom it gives a whole session anew.
  void move_until(std::int64_t at, bool is_met = false) {
    moving_until_ = std::max(moving_until_, at);
    move_unmet_ = !is_met;
    world_.note("coordinator moves", -1, at / ms);
    world_.later(moving_until_, [](void* self, std::int64_t) { static_cast<coordinator*>(self)->is_there(); }, this, 0);
  }
  /// To be asked for a request: the first one that is not answered makes it count as a fault.
  bool answers() {
    if (!is_moving()) return true;
    if (std::exchange(move_unmet_, false)) world_.hits(fault::moved);
    return false;
  }
  std::int64_t moving_until() const { return moving_until_; }

  std::int64_t generation() const { return generation_; }
  member* find(int id) {
    for (auto& m : members_)
      if (m.id == id) return &m;
    return nullptr;
  }
  /// Is this the process that the group, as it stands, has the partition assigned to?
  bool is_owner(int process, std::int32_t life, int p) const {
    if (preparing_ && !cooperative) return false;
    for (auto const& m : members_)
      if (m.process == process && m.life == life && std::count(m.assigned.begin(), m.assigned.end(), p) > 0)
        return true;
    return false;
  }

  bool has_members() const { return !members_.empty(); }

  /// Its number. With a `name` that a member has, that one is fenced, and what it had is the new one's, without a rebalance.
  int join(int process, std::int32_t life, int name = -1) {
    for (auto& m : members_)
      if (name >= 0 && m.name == name) return replace(m, process, life);
    auto& m = members_.emplace_back();
    m.id = ++ids_;
    m.process = process;
    m.life = life;
    m.name = name;
    world_.note("joins", -1, m.id, generation_);
    prepare();
    find(ids_)->joined = true;
    complete_if_all_joined();
    return ids_;
  }
  bool is_fenced(int id) const { return std::count(fenced_.begin(), fenced_.end(), id) > 0; }
  /// Who has the name, and is not given up for dead.
  bool has_living(int name) const {
    return std::any_of(members_.begin(), members_.end(),
                       [&](auto const& m) { return m.name == name && m.silent_from < 0; });
  }
  void joined_again(int id) {
    auto* const m = find(id);
    if (!m || !preparing_ || m->joined || !answers()) return;
    m->joined = true;
    if (!cooperative) {
      m->assigned.clear();
      m->news = false;
    }
    complete_if_all_joined();
  }
  /// Cooperative: what was to be given up is free.
  void gave_up(int id) {
    auto* const m = find(id);
    if (!m || m->leaving.empty()) return;
    m->leaving.clear();
    rebalance();
  }
  void leave(int id) {
    if (!find(id)) return;
    if (has_names || !answers()) return cut_off(id);  // nothing is said of it, or not heard
    std::erase_if(members_, [&](auto const& m) { return m.id == id; });
    world_.note("leaves", -1, id, generation_);
    rebalance();
  }
  /// Its process did not poll for max.poll.interval.ms: its client leaves for it, or says nothing any more.
  void put_out(int process, std::int32_t life) {
    for (auto const& m : members_)
      if (m.process == process && m.life == life) return leave(m.id);
  }
  /// Its client is gone without a word: the group waits for its session to end.
  void cut_off(int id) {
    if (auto* const m = find(id); m && m->silent_from < 0) {
      m->silent_from = world_.now;
      m->life = -1;
      look_later();
    }
  }
  bool is_preparing() const { return preparing_; }
  bool is_completing() const { return completing_; }
  /// Its last request waits for the others, or for the leader; brokers take up no other one of the same connection meanwhile.
  bool is_kept_waiting(int id) {
    auto const* m = find(id);
    return m && ((preparing_ && m->joined) || (completing_ && id != members_.front().id));
  }
  void rebalance() {
    if (is_moving()) {
      due_ = true;
      return;
    }
    prepare();
    complete_if_all_joined();
  }

  // ---- sessions

  void silent(int process) {
    for (auto& m : members_)
      if (m.process == process && m.life == world_.life_of(process) && m.silent_from < 0) m.silent_from = world_.now;
    look_later();
  }
  void speaks(int process) {
    expire();
    for (auto& m : members_)
      if (m.process == process && m.life == world_.life_of(process)) m.silent_from = -1;
    share_out(generation_);
  }

  // ---- offsets

  /// As a broker does: of a member of this generation; where there are no members, of whoever is none (0). Waiting for members it
  /// still takes commits, waiting for the leader not.
  outcome commit(int id, std::int64_t generation, list<wish> const& set) {
    if (id == 0 ? has_members() : (!find(id) || generation != generation_)) {
      world_.note("commit refused", -1, id, generation);
      return outcome::refused;
    }
    if (completing_) return outcome::postponed;
    for (auto const& w : set) store(w);
    return outcome::applied;
  }
  committed const& at(int p) { return slot(p); }
  /// What another program has committed, before any of these began.
  void left_by_stranger(int p, std::int64_t next) {
    slot(p) = {true, next, {}};
    witness_.left_by_stranger(p, next);
  }

 private:
  bool is_moving() const { return world_.now < moving_until_; }
  void is_there() {
    if (is_moving()) return;
    for (auto& m : members_)
      if (m.silent_from >= 0) m.silent_from = world_.now;
    look_later();
    if (std::exchange(due_, false)) rebalance();
    world_.news();
  }
  committed& slot(int p) {
    if (committed_.size() <= static_cast<std::size_t>(p)) committed_.resize(static_cast<std::size_t>(p) + 1);
    return committed_[static_cast<std::size_t>(p)];
  }

  void store(wish const& w) {
    auto& c = slot(w.partition);
    auto const before = c.there ? c.next : -1;
    world_.note("committed", w.partition, before, w.next);
    c.there = true;
    c.next = w.next;
    c.note = w.note;
    if (!authoritative) return;
    auto const note = read_note(w.note);
    auto const incarnation = note ? note->log.incarnation : -1;
    if (before < 0)
      witness_.began(w.partition, w.next, incarnation);
    else if (note && !note->cause.empty())
      witness_.rewound(w.partition, w.next, incarnation, note->cause);
    else if (before != w.next)
      witness_.moved(w.partition, before, w.next, incarnation, nullptr, {});
    else if (note)
      witness_.stays(w.partition, incarnation);
  }

  int replace(member& m, int process, std::int32_t life) {
    auto const id = ++ids_;
    world_.note("joins as", -1, id, m.id);
    world_.meets(meeting::back_in_time, true, m.silent_from >= 0 && m.process == process && !preparing_);
    fenced_.push_back(m.id);
    m.id = id;
    m.process = process;
    m.life = life;
    m.silent_from = -1;
    m.news = true;
    witness_.excuse_all();
    bool const has_to_give = !m.leaving.empty();
    m.leaving.clear();
    if (preparing_) {
      m.joined = false;
      joined_again(id);
    } else if (has_to_give || completing_)
      rebalance();
    return id;
  }
  void prepare() {
    if (std::exchange(preparing_, true)) return;
    completing_ = false;
    world_.note("rebalance", -1, generation_);
    for (auto& m : members_) {
      m.joined = false;
      m.hears_at = world_.now + world_.luck.between(1, 900) * ms;
      world_.later(
          m.hears_at, [](void* self, std::int64_t) { static_cast<coordinator*>(self)->world_.news(); }, this, 0);
    }
    wait_for_members();
  }
  void wait_for_members() {
    world_.later(
        world_.now + rebalance_timeout,
        [](void* self, std::int64_t which) { static_cast<coordinator*>(self)->give_up_waiting(which); }, this,
        ++rebalances_);
  }
  void complete_if_all_joined() {
    if (!preparing_) return;
    for (auto const& m : members_)
      if (!m.joined) return;
    complete();
  }
  void complete() {
    preparing_ = false;
    ++generation_;
    world_.note("generation", -1, generation_, static_cast<std::int64_t>(members_.size()));
    if (!cooperative || authoritative)
      witness_.excuse_all();  // who keeps a partition then goes on with what is in hand
    if (members_.empty()) return;
    completing_ = true;
    world_.later(
        world_.now + world_.luck.between(1, 20) * ms,
        [](void* self, std::int64_t of) { static_cast<coordinator*>(self)->share_out(of); }, this, generation_);
  }
  void share_out(std::int64_t of) {
    if (!completing_ || of != generation_ || members_.front().silent_from >= 0) return;
    completing_ = false;
    auto const n = static_cast<int>(members_.size()), all = topic_.partitions();
    int p = 0;
    for (int i = 0; i < n; ++i) {
      auto& m = members_[static_cast<std::size_t>(i)];
      auto const first = p;
      p += all / n + (i < all % n ? 1 : 0);
      m.news = true;
      if (cooperative)
        keep_within(m, first, p);
      else
        m.assigned.clear();
      for (int k = first; k < p; ++k)
        if (!is_taken(k)) m.assigned.push_back(k);
    }
    world_.news();
  }
  /// Of a member that keeps what it has: what is not to be its own any more.
  static void keep_within(member& m, int first, int end) {
    for (int const had : m.assigned)
      if (had < first || had >= end) m.leaving.push_back(had);
    std::erase_if(m.assigned, [&](int k) { return k < first || k >= end; });
  }
  bool is_taken(int p) const {
    return std::any_of(members_.begin(), members_.end(), [&](auto const& m) {
      return std::count(m.assigned.begin(), m.assigned.end(), p) + std::count(m.leaving.begin(), m.leaving.end(), p) >
             0;
    });
  }
  void give_up_waiting(std::int64_t which) {
    if (!preparing_ || which != rebalances_) return;
    if (is_moving()) return wait_for_members();
    std::erase_if(members_, [](auto const& m) { return !m.joined; });
    complete();
  }

  void look_later() {
    world_.later(
        world_.now + session_timeout, [](void* self, std::int64_t) { static_cast<coordinator*>(self)->expire(); }, this,
        0);
  }
  void expire() {
    if (is_moving()) return;
    auto const over = [&](member const& m) {
      return m.silent_from >= 0 && world_.now - m.silent_from >= session_timeout;
    };
    if (std::none_of(members_.begin(), members_.end(), over)) return;
    for (auto const& m : members_)
      if (over(m)) world_.note("session over", -1, m.id, m.process);
    std::erase_if(members_, over);
    rebalance();
  }
};

}}}}  // namespace sluice::v0::testing::simulated
