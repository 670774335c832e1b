/// \file testing/simulation/positions.hpp  A simulated client's commits to its group: answered, lost, held back, late.
#pragma once
#include <sluice/testing/simulation/cluster.hpp>

namespace sluice { inline namespace v0 { namespace testing { namespace simulated {

class simulated_positions final : public group_positions {
  cluster& cluster_;
  int member_ = 0;
  std::int64_t generation_ = -1;
  bool gone_ = false;
  std::vector<std::size_t> held_{};          ///< sent when the client comes to it, in the name of whoever it is then
  std::optional<std::size_t> background_{};  ///< the last request of them
  std::int64_t busy_until_ = 0;              ///< sent by then

  world& here() { return cluster_.world; }

 public:
  explicit simulated_positions(cluster& c) : cluster_(c) {}

  bool gone() const { return gone_; }
  void renew() {
    gone_ = false;
    member_ = 0;
    generation_ = -1;
    busy_until_ = 0;
    background_.reset();
  }
  void is_member(int id, std::int64_t generation) {
    member_ = id;
    generation_ = generation;
  }

  std::vector<group_position> read(std::vector<topic_partition> const& set, time_point by) override {
    if (gone_)
      throw store_error(errc::store_unavailable, "the client was thrown away after a request without an answer");
    auto const f = here().begins(call::read, -1, static_cast<std::int64_t>(set.size()));
    if (f == fault::unavailable || !cluster_.is_reachable()) {
      here().sleep_until(here().now + 300 * ms);
      here().ends(f);
      throw store_error(errc::store_unavailable, "the group's coordinator does not answer");
    }
    if (f == fault::moved) cluster_.group.move_until(here().now + here().amount() / 4, true);
    bool const told = is_found_by(std::min(here().when(by), here().now + 300 * ms));
    std::vector<group_position> found;  // as it is now, whatever happens before the answer is here
    for (auto const& of : set) {
      auto const& c = cluster_.group.at(of.partition);
      group_position one{.of = of, .failed = !told};
      one.there = told && c.there;
      one.next = offset{c.next};
      one.note.assign(c.note.data(), c.note.size());
      found.push_back(std::move(one));
    }
    here().ends(f);
    for (auto const& of : set)
      if (told && cluster_.group.authoritative && of.partition < cluster_.topic.partitions())
        cluster_.witness.claimed(here().current(), of.partition,
                                 cluster_.group.is_owner(here().current(), here().life(), of.partition));
    return found;
  }

  std::vector<outcome> store(std::vector<group_position> const& set, time_point by) override {
    if (gone_ || set.empty()) return std::vector<outcome>(set.size(), outcome::refused);
    hear_of_generation();
    auto f = here().begins(call::commit, set.front().of.partition, set.front().next.value(),
                           static_cast<std::int64_t>(set.size()));
    if (f == fault::moved) cluster_.group.move_until(here().now + here().amount() / 4, true);
    auto const request = on_the_wire(set);
    auto const no_answer = [&] {
      for (auto const& p : set) cluster_.witness.excuse(p.of.partition);
      here().sleep_until(here().when(by));
      here().ends(f);
      return std::vector<outcome>(set.size(), outcome::unknown);
    };
    switch (f) {
      case fault::lost:
        return no_answer();
      case fault::held:
        held_.push_back(request);
        return no_answer();
      case fault::late:
        carried_out_later(request, here().now + here().amount());
        return no_answer();
      case fault::unheard:
        arrives(&cluster_, static_cast<std::int64_t>(request));
        return no_answer();
      case fault::postponed:
        here().ends(f);
        return std::vector<outcome>(set.size(), outcome::postponed);
      default:
        break;
    }
    if (!cluster_.is_reachable() || !is_found_by(here().when(by))) {
      held_.push_back(request);
      return no_answer();
    }
    send_held();
    if (!gets_its_turn(here().when(by))) {
      arrives(&cluster_, static_cast<std::int64_t>(request));
      return no_answer();
    }
    std::vector<std::int64_t> before;
    before.reserve(set.size());
    for (auto const& p : set)
      before.push_back(cluster_.group.at(p.of.partition).there ? cluster_.group.at(p.of.partition).next : -1);
    auto const what = cluster_.group.commit(member_, generation_, cluster_.wire[request].set);
    std::vector<outcome> all(set.size(), what);
    if (what != outcome::applied && what != outcome::postponed)
      for (auto const& p : set) cluster_.witness.excuse(p.of.partition);
    if (f == fault::partly && set.size() > 1) {
      all.back() = outcome::unknown;
      cluster_.witness.excuse(set.back().of.partition);
    } else if (f == fault::partly)
      here().missed(f);
    here().ends(f);
    for (std::size_t i = 0; i < set.size() && cluster_.group.authoritative; ++i)
      if (all[i] == outcome::applied && before[i] >= 0 && before[i] < set[i].next.value())
        cluster_.witness.owes(here().current(), set[i].of.partition, before[i], set[i].next.value());
    return all;
  }

  /// The mirror: sent some time later, lost without harm.
  void store_later(std::vector<group_position> const& set) override {
    if (gone_ || set.empty()) return;
    busy_until_ = std::max(busy_until_, here().now) + here().luck.between(1, 20) * ms;  // one after another
    background_ = on_the_wire(set);
    carried_out_later(*background_, busy_until_);
  }
  bool settled(std::string& failed) override {
    failed.clear();
    if (!background_) return true;
    auto const& last = cluster_.wire[*background_];
    if (last.answered && last.answer != outcome::applied) failed = "the group did not take it";
    return last.answered;
  }
  void abandon() override {
    here().note("abandons", -1, member_);
    gone_ = true;
    held_.clear();
    cluster_.witness.excuse_all();
  }
  std::string group_metadata() override { return gone_ ? std::string{} : std::to_string(member_); }

  /// What was held back goes out as soon as the coordinator is there.
  void send_held() {
    if (held_.empty() || !cluster_.is_reachable() || !cluster_.group.answers()) return;
    for (auto const h : held_) {
      here().note("held commit sent", -1, member_, generation_);
      cluster_.wire[h].member = member_;
      cluster_.wire[h].generation = generation_;
      arrives(&cluster_, static_cast<std::int64_t>(h));
    }
    held_.clear();
  }

 private:
  /// Waits for a coordinator that is to be found by then.
  bool is_found_by(std::int64_t by) {
    auto& g = cluster_.group;
    while (!g.answers()) {
      if (g.moving_until() > by) return false;
      here().sleep_until(g.moving_until());
    }
    return true;
  }
  /// A client hears in the background that all have joined; or it has not heard yet.
  void hear_of_generation() {
    auto& g = cluster_.group;
    if (generation_ < 0 || generation_ == g.generation() || !g.find(member_)) return;
    if (!here().luck.one_in(4)) generation_ = g.generation();
  }
  /// Outside of this process from now on.
  std::size_t on_the_wire(std::vector<group_position> const& set) {
    auto& r = cluster_.wire.emplace_back();
    r.member = member_;
    r.generation = generation_;
    for (auto const& p : set) r.set.push_back({p.of.partition, p.next.value(), text{p.note.data(), p.note.size()}});
    return cluster_.wire.size() - 1;
  }
  void carried_out_later(std::size_t request, std::int64_t at) {
    here().later(at, arrives, &cluster_, static_cast<std::int64_t>(request));
  }
  /// At the broker, which takes it up once it has answered what came before it from this member.
  static void arrives(void* self, std::int64_t which) {
    auto& c = *static_cast<cluster*>(self);
    auto& r = c.wire[static_cast<std::size_t>(which)];
    bool const behind = std::any_of(c.wire.data(), &r, [&](commit_in_flight const& other) {
      return other.kept_waiting && !other.answered && other.member == r.member;
    });
    if (behind || c.group.is_kept_waiting(r.member)) {
      r.kept_waiting = true;
      return c.world.later(c.world.now + 10 * ms, arrives, self, which);
    }
    r.answered = true;
    if (!c.group.answers()) return;
    r.answer = c.group.commit(r.member, r.generation, r.set);
  }
  /// False: not by then.
  bool gets_its_turn(std::int64_t by) {
    while (cluster_.group.is_kept_waiting(member_)) {
      if (here().now >= by) return false;
      here().sleep_until(std::min(by, here().now + 10 * ms));
    }
    return true;
  }
};

}}}}  // namespace sluice::v0::testing::simulated
